// SPDX-License-Identifier: Apache-2.0
// Real SDK servers, unmodified, each call in a fresh cell.
// CORDON_BUNDLES: where tests/bundles/build.mjs put them.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { evaluate, newCell, sendRequest } from './harness.mjs';

const directory = process.env.CORDON_BUNDLES;
const NAMES = ['sdk-v1', 'sdk-v2', 'mcp-lite', 'tmcp', 'hono'];
const INFO = { name: 'test', version: '1' };

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {
  protocolVersion: '2025-06-18', capabilities: {}, clientInfo: INFO } };
const list = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} };
const callOf = (name, args) => ({ jsonrpc: '2.0', id: 3, method: 'tools/call',
  params: { name, arguments: args } });

async function load(name) {
  const file = path.join(directory, `${name}.js`);
  const cell = newCell();
  const namespace = await evaluate(cell, readFileSync(file, 'utf8'), file);
  assert.equal(cell.entry.describe(namespace, undefined, name),
      '{"kind":"fetch"}');
  return cell;
}

/** Sends a message; returns the JSON-RPC answer, from JSON or from SSE. */
async function send(cell, message, more = []) {
  const answer = await sendRequest(cell, { url: 'http://localhost/mcp',
    headers: [['Host', 'localhost'], ['Content-Type', 'application/json'],
      ['Accept', 'application/json, text/event-stream'],
      ...message === initialize ? [] :
        [['MCP-Protocol-Version', '2025-06-18']], ...more],
    body: JSON.stringify(message) });
  assert.equal(answer.status, 200, JSON.stringify(answer));
  const data = /^data: (\{.*)$/m.exec(answer.body);
  return JSON.parse(data === null ? answer.body : data[1]);
}

const options = { skip: directory === undefined || !existsSync(directory) ?
  'set CORDON_BUNDLES' : false };

for (const name of NAMES) {
  describe(name, options, () => {
    test('answers initialize', async () => {
      const { result } = await send(await load(name), initialize);
      assert.equal(result.serverInfo.name, name);
    });

    test('lists its tools', async () => {
      const { result } = await send(await load(name), list);
      assert.deepEqual(result.tools.map((tool) => tool.name), ['add', 'echo']);
    });

    test('calls a tool', async () => {
      const { result } = await send(await load(name),
          callOf('add', { a: 2, b: 3 }));
      assert.deepEqual(result.content, [{ type: 'text', text: '5' }]);
    });

    test('answers after a warm-up as before it', async () => {
      const cell = await load(name);
      assert.equal(await cell.entry.warm(), true);
      assert.equal(await cell.entry.warm(), true);
      const { result } = await send(cell, callOf('echo', { text: 'é 語' }));
      assert.deepEqual(result.content, [{ type: 'text', text: 'é 語' }]);
      assert.deepEqual(cell.logs, []);
    });
  });
}

test('sdk-v2 answers the stateless revision', options, async () => {
  const message = callOf('add', { a: 2, b: 3 });
  message.params._meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': INFO,
  };
  const cell = await load('sdk-v2');
  const answer = await sendRequest(cell, { url: 'http://localhost/mcp',
    headers: [['content-type', 'application/json'],
      ['accept', 'application/json, text/event-stream'],
      ['mcp-protocol-version', '2026-07-28'], ['mcp-method', 'tools/call'],
      ['mcp-name', 'add']], body: JSON.stringify(message) });
  assert.equal(answer.status, 200, answer.body);
  const data = /^data: (\{.*)$/m.exec(answer.body)?.[1] ?? answer.body;
  assert.equal(JSON.parse(data).result.content[0].text, '5');
});
