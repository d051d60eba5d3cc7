// SPDX-License-Identifier: Apache-2.0

// What the host need not understand arrives byte for byte: through every kind
// of upstream, to clients of both eras, both ways.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { node } from '../lib/paths.mjs';
import { ofEachEra, startRelays } from '../lib/upstreams.mjs';
import { members, odd } from './lossless/odd.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const MODERN = '2026-07-28';
const META = 'io.modelcontextprotocol/';

// The same in a cell: JSON.rawJSON writes numbers as they are spelt.
const isolate = `
  const big = (text) => JSON.rawJSON(text);
  export default {
    name: 'isolate',
    tools: { odd: {
      inputSchema: { type: 'object' },
      _meta: { 'org.example/kept': { 'a': 1 } },
      run: () => ({ content: [{ type: 'text', text: 'odd', 'x-in-text': 1 }],
        'x-numbers': { big: big('123456789012345678901234567890'),
          zero: big('-0'), exponent: big('1E+2'), fraction: big('1.0') },
        structuredContent: JSON.parse('{"__proto__":{"x":1},"":4}') }),
    } },
  };`;
const fromIsolate = '"x-numbers":{"big":123456789012345678901234567890,"zero":-0,' +
  '"exponent":1E+2,"fraction":1.0}';

// A Workers-style server writes its own text.
const worker = `
  const complete = ${JSON.stringify(`"content":[{"type":"text","text":"odd",${members}}],${members}`)};
  const answer = (id, text) => new Response(
    '{"jsonrpc":"2.0","id":' + JSON.stringify(id) + ',"result":{' + text + '}}',
    { headers: { 'content-type': 'application/json' } });
  export default { async fetch(request) {
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === 'initialize') return answer(id, '"protocolVersion":"2025-11-25",' +
      '"capabilities":{"tools":{}},"serverInfo":{"name":"worker","version":"1"}');
    if (method === 'tools/list') return answer(id,
      '"tools":[{"name":"odd","inputSchema":{"type":"object"},' + ${JSON.stringify(members)} + '}]');
    if (method === 'tools/call') return answer(id, complete);
    return Response.json({ jsonrpc: '2.0', id, error: { code: -32601, message: 'none' } });
  } };`;

let relays;
let host;
before(async () => {
  relays = await startRelays(ofEachEra([node, here('lossless/server.mjs')]));
  host = await Host.start({ files: { 'isolate.js': isolate, 'worker.js': worker },
    config: { servers: relays.servers } });
});
after(async () => {
  const { exit, left } = await host.stop();
  await relays.close();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

let lastId = 0;

// A request whose params are text; the answer as text.
const asks = {
  async legacy(server, method, params, session = {}) {
    return ask(server, method, `{${params}}`,
      { 'mcp-protocol-version': '2025-11-25', ...session });
  },
  async modern(server, method, params, can = '{}') {
    const { name, uri } = JSON.parse(`{${params}}`);
    const meta = `"_meta":{"${META}protocolVersion":"${MODERN}",` +
      `"${META}clientCapabilities":${can},"progressToken":7}`;
    return ask(server, method, `{${params}${params ? ',' : ''}${meta}}`, {
      'mcp-protocol-version': MODERN, 'mcp-method': method,
      ...(name ?? uri) === undefined ? {} : { 'mcp-name': name ?? uri } });
  },
};

async function ask(server, method, params, headers) {
  const response = await fetch(host.endpoint(server), { method: 'POST',
    headers: { ...host.headers, ...headers, 'content-type': 'application/json',
      accept: 'application/json, text/event-stream' },
    body: `{"jsonrpc":"2.0","id":${++lastId},"method":"${method}","params":${params}}` });
  return response.text();
}

function holds(text, ...parts) {
  for (const part of parts) {
    assert.ok(text.includes(part), `${part}\nis not in\n${text}`);
  }
}

const kept = Object.values(odd);

for (const [era, send] of Object.entries(asks)) {
  for (const server of ['legacy', 'modern', 'both']) {
    describe(`a client that is ${era}, a server that is ${server}`, () => {
      test('a tool\'s result', async () => {
        holds(await send(server, 'tools/call', '"name":"odd","arguments":{}'), members,
          `"structuredContent":${odd.names}`,
          `{"type":"text","text":"odd \\u0041","_meta":{"org.example/kept":${odd.strings}},${members}}`,
          `"org.example/kept":${odd.shape}`);
      });

      test('an error and its data', async () => {
        holds(await send(server, 'tools/call', '"name":"fail","arguments":{}'),
          `"message":"odd \\u0041"`, `"data":{${members}}`);
      });

      test('the lists', async () => {
        holds(await send(server, 'tools/list', ''), members,
          `"x-in-schema":${odd.numbers}`, `"org.example/kept":${odd.names}`);
        holds(await send(server, 'prompts/list', ''), members);
        holds(await send(server, 'resources/list', ''), members);
      });

      test('a prompt and a resource', async () => {
        holds(await send(server, 'prompts/get', '"name":"odd"'),
          `{"type":"text","text":"odd",${members}}`);
        holds(await send(server, 'resources/read', '"uri":"odd://1"'),
          `{"uri":"odd://1","text":"odd",${members}}`);
      });

      test('the arguments, and members that are unknown', async () => {
        for (const text of kept) {
          await send(server, 'tools/call',
            `"name":"odd","arguments":{"x":${text}},"x-unknown":${text}`);
          const sent = await send(server, 'tools/call', '"name":"sent","arguments":{}');
          const line = Buffer.from(/"text":"([A-Za-z0-9+/=]*)"/.exec(sent)[1], 'base64');
          holds(line.toString(), `"arguments":{"x":${text}}`, `"x-unknown":${text}`);
        }
      });
    });
  }
}

describe('progress', () => {
  for (const server of ['legacy', 'modern', 'both']) {
    test(`of a server that is ${server}`, async () => {
      const said = await asks.modern(server, 'tools/call', '"name":"notes","arguments":{}');
      holds(said, '"progress":1.0', '"x-big":12345678901234567890', members,
        '"progressToken":7');
    });
  }
});

describe('what a modern client is asked', () => {
  for (const server of ['legacy', 'modern', 'both']) {
    test(`and answers, by a server that is ${server}`, async () => {
      const can = '{"elicitation":{}}';
      const first = await asks.modern(server, 'tools/call',
        '"name":"ask","arguments":{}', can);
      holds(first, '"message":"odd \\u0041"', `"x-kept":${odd.numbers}`, members);
      const { result } = JSON.parse(first);
      const [key] = Object.keys(result.inputRequests);
      const given = `{"action":"accept","content":{"n":1.0},"x-more":${odd.names}}`;
      const second = await asks.modern(server, 'tools/call', '"name":"ask",' +
        `"arguments":{},"inputResponses":{${JSON.stringify(key)}:${given}},` +
        `"requestState":${JSON.stringify(result.requestState)}`, can);
      const line = Buffer.from(/"text":"([A-Za-z0-9+/=]*)"/.exec(second)[1], 'base64');
      holds(line.toString(), given);
    });
  }
});

describe('cells', () => {
  for (const [era, send] of Object.entries(asks)) {
    test(`of a declarative server, to a client that is ${era}`, async () => {
      holds(await send('isolate', 'tools/call', '"name":"odd","arguments":{}'),
        fromIsolate, '"x-in-text":1', '"structuredContent":{"__proto__":{"x":1},"":4}');
    });

    test(`of a Workers-style server, to a client that is ${era}`, async () => {
      holds(await send('worker', 'tools/call', '"name":"odd","arguments":{}'),
        `{"type":"text","text":"odd",${members}}`, members);
      holds(await send('worker', 'tools/list', ''), members);
    });
  }
});
