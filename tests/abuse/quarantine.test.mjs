// SPDX-License-Identifier: Apache-2.0

// Promise: what was not approved does not run and is not there: not for its
// tenant's tokens, not by a name it is known under, not behind a socket.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { Session } from '../lib/session.mjs';
import { addServer, admin, everything, listenAt, modern, noTroubles,
  troubles } from '../lib/strangers.mjs';

let host;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-quarantine-'));
  host = await Host.start({ files: { 'honest.js': everything } });
});
after(async () => {
  assert.deepEqual(await troubles(host), noTroubles);
  rmSync(folder, { recursive: true, force: true });
});

const call = (name, tool = 'test_simple_text') => [
  [`/s/${name}/mcp`, 'tools/call', { name: tool, arguments: {} }],
  ['/mcp', 'tools/call', { name: `${name}__${tool}`, arguments: {} }]];
const requests = (name) => [...call(name),
  [`/s/${name}/mcp`, 'tools/list'], [`/s/${name}/mcp`, 'server/discover'],
  ['/mcp', 'prompts/get', { name: `${name}__test_simple_prompt` }],
  ['/mcp', 'resources/read', { uri: `cordon:${name}/test://static-text` }]];

// What all of them are answered with; the name is no part of it.
async function answers(name) {
  const all = [];
  for (const [path, method, params] of requests(name)) {
    const { status, text } = await modern(host.url + path, host.token, method, params);
    all.push([path, method, status, text].map((one) => String(one).replaceAll(name, 'NAME')));
  }
  return all;
}

const works = async (name, tool) => {
  for (const [path, method, params] of call(name, tool)) {
    const { result } = await modern(host.url + path, host.token, method, params);
    assert.ok(result?.content && !result.isError, `${path} ${name}`);
  }
};

describe('a bundle', () => {
  const state = async (name) => (await admin(host, 'GET', `/servers/${name}`)).state;
  const log = `export default { tools: { test_simple_text: { description: 'Logs.',
    inputSchema: { type: 'object' }, run: () => { console.log('it ran'); return 'x'; } } } };`;

  test('that nobody approved is not there, and never ran', async () => {
    await addServer(host, 'waiting', log);
    assert.equal(await state('waiting'), 'quarantined');
    assert.deepEqual(await answers('waiting'), await answers('unknown'));
    const { text } = await modern(`${host.url}/mcp`, host.token, 'tools/list');
    assert.doesNotMatch(text, /waiting/);
    assert.match(text, /honest__/);
    assert.doesNotMatch((await admin(host, 'GET', '/servers/waiting/logs')).text, /it ran/);
    await admin(host, 'POST', '/servers/waiting/approve');
    await works('waiting');
    assert.match((await admin(host, 'GET', '/servers/waiting/logs')).text, /it ran/);
  });

  test('that was denied or changed is out of every hand at once', async () => {
    await addServer(host, 'fickle', everything, { state: 'approve' });
    await works('fickle');
    const session = await Session.open(host.endpoint('fickle'), host.headers);
    const asked = await modern(host.endpoint('fickle'), host.token, 'tools/call',
      { name: 'test_elicitation', arguments: { message: 'Who?' } });
    assert.equal(asked.result.resultType, 'input_required');
    for (const undo of [
      () => admin(host, 'POST', '/servers/fickle/deny'),
      () => addServer(host, 'fickle', `${everything}\n// more`),
      () => admin(host, 'DELETE', '/servers/fickle'),
    ]) {
      await undo();
      assert.deepEqual(await answers('fickle'), await answers('unknown'));
      assert.equal((await session.call('test_simple_text')).status, 404);
      const late = await modern(host.endpoint('fickle'), host.token, 'tools/call',
        { name: 'test_elicitation', arguments: { message: 'Who?' },
          requestState: asked.result.requestState, inputResponses: { a: { action: 'accept' } } });
      assert.equal(late.status, 404);
      if (await state('fickle') !== undefined) {
        await admin(host, 'POST', '/servers/fickle/approve');
        await works('fickle');
      }
    }
  });

  test('is approved as it is, by who may', async () => {
    await addServer(host, 'strict', everything);
    for (const path of ['/servers/strict/approve/', '/servers/strict/APPROVE',
      '/servers/Strict/approve', '/servers/strict%2fapprove', '/servers//strict/approve']) {
      const { status } = await admin(host, 'POST', path);
      assert.ok(status >= 400, `${path}: ${status}`);
    }
    assert.equal((await admin(host, 'GET', '/servers/strict/approve')).status >= 400, true);
    assert.equal(await state('strict'), 'quarantined');
    assert.equal((await admin(host, 'POST', '/servers/strict/approve')).status, 200);
    await works('strict');
  });
});

test('a socket is not even connected to before it is approved', async () => {
  const far = await listenAt(join(folder, 'far.sock'), ({ method }) =>
    (method === 'tools/call' ? { content: [{ type: 'text', text: 'far' }] } : undefined));
  await addServer(host, 'far', { socket: far.path });
  assert.deepEqual(await answers('far'), await answers('unknown'));
  assert.deepEqual(far.heard, []);
  await admin(host, 'POST', '/servers/far/approve');
  await works('far', 'do');
  assert.ok(far.heard.length > 0);
  await admin(host, 'POST', '/servers/far/deny');
  const before = far.heard.length;
  assert.deepEqual(await answers('far'), await answers('unknown'));
  assert.equal(far.heard.length, before);
  await far.close();
});
