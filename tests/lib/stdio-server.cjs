// SPDX-License-Identifier: Apache-2.0

// A stdio server without dependencies, of the older revisions, whose tools do
// what servers do that are not well.
//
//     node stdio-server.cjs [silent | deaf | crash]

'use strict';

const { spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');

const how = process.argv[2];
const born = Date.now();
let calls = 0;
let hung = false;

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });

const tools = {
  who: () => ({ pid: process.pid, born, calls, uid: process.getuid() }),
  say: ({ lines }) => { for (const line of lines) console.error(line); return lines.length; },
  read: ({ path }) => {
    try { return readFileSync(path, 'utf8'); } catch (error) { return error.code; }
  },
  reopen: () => { writeFileSync('/dev/stderr', 'by its name\n'); return 'ok'; },
  exit: ({ code }) => process.exit(code),
  hang: () => { hung = true; return new Promise(() => {}); },
  // More than it may have, touched.
  hog: () => { const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1)); },
  // Processes that would outlive it.
  litter: ({ count }) => {
    for (let i = 0; i < count; i++)
      spawn('/bin/sh', ['-c', 'trap "" TERM HUP; while :; do sleep 1000; done'],
        { detached: true, stdio: 'ignore' }).unref();
    return count;
  },
  // Asks, and is deaf to all answers.
  ask: ({ count }) => {
    process.stdin.pause();
    setInterval(() => {}, 1 << 30);
    for (let i = 0; i < count; i++)
      send({ jsonrpc: '2.0', id: `a${i}`, method: 'ping' });
    return new Promise(() => {});
  },
  sleep: ({ ms }) => new Promise((done) => setTimeout(done, ms, 'slept')),
};

const methods = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} },
    serverInfo: { name: 'stdio-server', version: '1.0.0' } }),
  ping: () => ({}),
  'tools/list': () => ({ tools: Object.keys(tools)
    .map((name) => ({ name, inputSchema: { type: 'object' } })) }),
  async 'tools/call'({ name, arguments: args = {} }) {
    calls++;
    return text(await tools[name](args));
  },
};

async function take(line) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined || how === 'silent' || hung) return;
  if (!(method in methods)) {
    send({ jsonrpc: '2.0', id, error: { code: -32601, message: `no ${method}` } });
    return;
  }
  send({ jsonrpc: '2.0', id, result: await methods[method](params) });
}

if (how === 'crash') {
  console.error('configuration is missing');
  process.exit(3);
}
if (how === 'deaf') { // to all that is polite
  process.on('SIGTERM', () => console.error('TERM was heard'));
  setInterval(() => {}, 1 << 30);
}
createInterface({ input: process.stdin }).on('line', take);
