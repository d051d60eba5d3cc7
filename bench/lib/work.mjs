// SPDX-License-Identifier: Apache-2.0
// The workloads. Each is one tool as a bare script, or one server bundle, with
// a call and what its answer must hold: a peer that answers wrongly has no row.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const TINY = `function run(input) {
  return { doublePrice: input.price * 2 };
}
`;

// A call that says that it has begun and stays, for counting what it holds.
const HOLD = `function run() {
  console.log('here');
  return new Promise((resolve) => setTimeout(resolve, 29000));
}
`;

// Rows of one object each, about 44 bytes on V8's heap, made at load.
const ROWS_PER_MIB = 24000;

function table(mib) {
  return `const rows = [];
for (let i = 0; i < ${mib * ROWS_PER_MIB}; i++)
  rows.push({ id: i, price: i * 2 + 0.5 });
function run(input) {
  return { doublePrice: input.price * 2, rows: rows.length };
}
`;
}

// A tool of about 64 kB of source, for the first call of a cold deployment.
function wide() {
  const parts = [];
  for (let i = 0; i < 620; i++)
    parts.push(`function rule${i}(price) { const rate = ${i} / 100; return price > ${i} ? price * (1 + rate) : price + rate; }\n`);
  return parts.join('') + 'function run(input) { return { doublePrice: rule0(input.price) * 2 }; }\n';
}

function tool(name, source) {
  return {
    name,
    kind: 'tool',
    source,
    input: '{"price":45}',
    expect: '"doublePrice":90',
  };
}

function bundle(name, path) {
  const file = fileURLToPath(new URL(path, import.meta.url));
  return {
    name,
    kind: 'bundle',
    file,
    get source() {
      return readFileSync(file, 'utf8');
    },
    // The same with a platform inside, for engines that have none: a classic
    // script that defines serve(url, init).
    get script() {
      return readFileSync(file.replace(/\.js$/, '.script.js'), 'utf8');
    },
    request: {
      method: 'POST',
      url: 'http://127.0.0.1/mcp',
      headers: [
        ['content-type', 'application/json'],
        ['accept', 'application/json, text/event-stream'],
        ['mcp-protocol-version', '2025-06-18'],
      ],
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":40,"b":2}}}',
    },
    expect: '42',
  };
}

export function work(name) {
  if (name === 'tiny') return tool(name, TINY);
  if (name === 'hold') return tool(name, HOLD);
  if (name === 'wide') return tool(name, wide());
  if (name.startsWith('heap-')) return tool(name, table(Number(name.slice(5))));
  if (name === 'sdk-v1') return bundle(name, '../out/bundles/sdk-v1.js');
  if (name === 'sdk-v2') return bundle(name, '../out/bundles/sdk-v2.js');
  throw new Error(`no workload is called ${name}`);
}
