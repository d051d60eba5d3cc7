// SPDX-License-Identifier: Apache-2.0

// A server over stdio that writes its JSON by hand, and tells what it was sent:
//
//     node server.mjs legacy|modern|both

import { createInterface } from 'node:readline';
import { members, odd } from './odd.mjs';

const era = process.argv[2];
const MODERN = '2026-07-28';

const send = (text) => process.stdout.write(`${text.replaceAll('\n', ' ')}\n`);
const complete = (modern, text) =>
  `{${modern ? '"resultType":"complete",' : ''}${text}}`;

const capabilities = '{"tools":{"x-unknown":1},"prompts":{},"resources":{}}';
const who = '{"name":"odd","version":"1.0.0"}';
const fresh = '"ttlMs":0,"cacheScope":"private"';

const tool = (name) => `{"name":"${name}","description":"${name}",` +
  `"inputSchema":{"type":"object","x-in-schema":${odd.numbers}},` +
  `"_meta":{"org.example/kept":${odd.names}},${members}}`;
const link = '{"type":"text","text":"odd \\u0041","_meta":{"org.example/kept":' +
  `${odd.strings}},${members}}`;

// What was received last, line by line; "sent" gives it back in base64.
let last = '';
const waiting = new Map();
let asked = 0;

const results = {
  'tools/list': () => `"tools":[${['odd', 'sent', 'ask', 'fail', 'notes'].map(tool)}],${fresh},${members}`,
  'prompts/list': () => `"prompts":[{"name":"odd","description":"odd",${members}}],${fresh}`,
  'resources/list': () => `"resources":[{"uri":"odd://1","name":"odd",${members}}],${fresh}`,
  'resources/templates/list': () => `"resourceTemplates":[],${fresh}`,
  'prompts/get': () => '"messages":[{"role":"user","content":' +
    `{"type":"text","text":"odd",${members}}}],${members}`,
  'resources/read': () => `"contents":[{"uri":"odd://1","text":"odd",${members}}],${fresh},${members}`,
  'tools/call': (params) => calls[params.name](params),
};

const calls = {
  odd: () => `"content":[${link}],"structuredContent":${odd.names},` +
    `"_meta":{"org.example/kept":${odd.shape}},${members}`,
  sent: () => `"content":[{"type":"text","text":"${Buffer.from(last).toString('base64')}"}]`,
  notes(params) {
    const token = JSON.stringify(params._meta?.progressToken);
    send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},` +
      `"progress":1.0,"x-big":12345678901234567890,${members}}}`);
    return `"content":[]`;
  },
};

async function handle(line) {
  const message = JSON.parse(line);
  if (message.method === undefined) {
    waiting.get(message.id)?.(line);
    return;
  }
  if (message.id === undefined) return;
  const { id, method, params = {} } = message;
  const modern = params._meta?.['io.modelcontextprotocol/protocolVersion'] === MODERN;
  const answer = (text) => send(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${text}}`);
  if (method === 'server/discover' && era !== 'legacy') {
    return answer(`"result":{"resultType":"complete","supportedVersions":["${MODERN}"],` +
      `"capabilities":${capabilities},${fresh},` +
      `"_meta":{"io.modelcontextprotocol/serverInfo":${who}}}`);
  }
  if (method === 'initialize' && era !== 'modern') {
    return answer(`"result":{"protocolVersion":"2025-11-25","capabilities":${capabilities},` +
      `"serverInfo":${who}}`);
  }
  if (params.name === 'fail' && method === 'tools/call') {
    return answer(`"error":{"code":-32000,"message":"odd \\u0041","data":{${members}},${members}}`);
  }
  if (params.name === 'ask' && method === 'tools/call') return ask(answer, modern, params);
  if (results[method] === undefined) {
    return answer('"error":{"code":-32601,"message":"no such method"}');
  }
  if (params.name !== 'sent') last = line;
  return answer(`"result":${complete(modern, results[method](params))}`);
}

// A form with unknown members, and what came back, in base64.
const form = `"message":"odd \\u0041","requestedSchema":{"type":"object",` +
  `"properties":{"n":{"type":"number","x-kept":${odd.numbers}}}},${members}`;

async function ask(answer, modern, params) {
  if (modern) {
    const given = params.inputResponses?.n;
    if (given === undefined) {
      return answer('"result":{"resultType":"input_required","inputRequests":' +
        `{"n":{"method":"elicitation/create","params":{${form}}}},"requestState":"kept"}`);
    }
    return answer(`"result":${complete(true, given && calls.sent())}`);
  }
  const n = `ask-${++asked}`;
  send(`{"jsonrpc":"2.0","id":"${n}","method":"elicitation/create","params":{${form}}}`);
  last = await new Promise((given) => waiting.set(n, given));
  return answer(`"result":${complete(false, calls.sent())}`);
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  if (line.includes('inputResponses')) last = line;
  handle(line);
});
