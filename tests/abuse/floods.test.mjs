// SPDX-License-Identifier: Apache-2.0

// Promise: what one client may have of anything is bounded, and what it floods
// ends with it: others are served on, and the gateway's memory stays as it was.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { inParallel } from '../lib/mcp.mjs';
import { Session } from '../lib/session.mjs';
import { addTenant, addToken, bearer, everything, modern, noTroubles,
  troubles } from '../lib/strangers.mjs';

const MIB = 1 << 20;
const CALL = { name: 'test_simple_text', arguments: {} };

let host;
let url;
let flooder;
let token;
let pid;

before(async () => {
  host = await Host.start({ files: { 'isolate.js': everything },
    config: { sessions: { per_principal: 500, asks: 16 }, log: { level: 'debug' } } });
  url = host.endpoint('isolate');
  token = await addToken(host, {});
  flooder = bearer(token);
  [{ pid }] = host.processes('cordon-gateway');
});
after(async () => assert.deepEqual(await troubles(host), noTroubles));

const resident = () => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;

// The same gateway, within a bound, serving somebody else.
async function unharmed(before, most) {
  const session = await Session.open(url, host.headers);
  const { result } = await session.call('test_echo', { nonce: 'served' });
  assert.equal(result.content[0].text, 'served');
  await session.end();
  assert.equal(host.processes('cordon-gateway')[0].pid, pid);
  const grown = resident() - before;
  assert.ok(grown < most, `it grew by ${(grown / MIB).toFixed(1)} MiB`);
}

const post = (body, headers = {}) => fetch(url, { method: 'POST',
  headers: { ...flooder, 'content-type': 'application/json',
    accept: 'application/json, text/event-stream', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body) });

const initialize = async () => {
  const response = await post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
  await response.text();
  return response.headers.get('mcp-session-id');
};

describe('a flood', () => {
  test('of sessions makes room of its own', async () => {
    const mine = await Session.open(url, host.headers);
    const begin = resident();
    const ids = await inParallel(3000, 50, initialize);
    const states = await Promise.all([ids[0], ids.at(-1)].map(async (id) => {
      const response = await post('{"jsonrpc":"2.0","id":1,"method":"ping"}',
        { 'mcp-session-id': id });
      await response.text();
      return response.status;
    }));
    assert.deepEqual(states, [404, 200]);
    assert.equal((await mine.call('test_simple_text')).status, 200);
    await unharmed(begin, 64 * MIB);
  });

  test('of calls that wait for answers is refused beyond a bound', async () => {
    const begin = resident();
    const ask = (by) => modern(url, by, 'tools/call',
      { name: 'test_elicitation', arguments: { message: 'Well?' } });
    const answers = await inParallel(100, 20, () => ask(token));
    assert.equal(answers.filter(({ result }) =>
      result?.resultType === 'input_required').length, 16);
    assert.equal((await ask(host.token)).result.resultType, 'input_required');
    await unharmed(begin, 64 * MIB);
  });

  test('of subscriptions is cut to a bound', async () => {
    const begin = resident();
    const cut = new AbortController();
    const response = await fetch(url, { method: 'POST', signal: cut.signal, headers: { ...flooder,
      'content-type': 'application/json', accept: 'text/event-stream, application/json',
      'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: {
      notifications: { resourceSubscriptions: ['test://watched-resource',
        ...Array.from({ length: 100_000 }, (_, i) => `test://template/${i}/data`)] },
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {} } } }) });
    let said = '';
    for await (const chunk of response.body) {
      said += Buffer.from(chunk).toString();
      if (said.includes('\n\n')) break;
    }
    cut.abort();
    const { params } = JSON.parse(/^data: (\{.*)$/m.exec(said)[1]);
    assert.ok(params.notifications.resourceSubscriptions.length <= 256);
    assert.ok(params.notifications.resourceSubscriptions.includes('test://watched-resource'));
    await unharmed(begin, 96 * MIB);
  });

  test('of streams that nobody reads keeps no memory', async () => {
    const begin = resident();
    const { hostname, port } = new URL(url);
    const sockets = await inParallel(200, 20, async () => {
      const id = await initialize();
      const socket = connect(Number(port), hostname).on('error', () => {});
      await new Promise((done) => socket.on('connect', done));
      socket.write(`GET /s/isolate/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
        `Authorization: ${flooder.authorization}\r\nAccept: text/event-stream\r\n` +
        `Mcp-Session-Id: ${id}\r\n\r\n`);
      await new Promise((done) => socket.once('data', done));
      socket.pause();
      return socket;
    });
    for (let i = 0; i < 50; i++) {
      await modern(url, host.token, 'tools/call',
        { name: 'test_trigger_tool_change', arguments: {} });
    }
    await unharmed(begin, 64 * MIB);
    for (const socket of sockets) socket.destroy();
  });

  test('of streams leaves connections to others', async () => {
    const tenant = await addTenant(host, 'wide');
    const { hostname, port } = new URL(url);
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen',
      params: { notifications: {}, _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {} } } });
    const request = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Authorization: Bearer ${tenant.caller}\r\nContent-Type: application/json\r\n` +
      'Accept: text/event-stream, application/json\r\nMCP-Protocol-Version: 2026-07-28\r\n' +
      `Mcp-Method: subscriptions/listen\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const sockets = [];
    const statuses = await inParallel(9200, 100, async () => {
      const socket = connect(Number(port), hostname).on('error', () => {});
      sockets.push(socket);
      socket.write(request);
      const head = await new Promise((done) => {
        socket.once('data', (bytes) => done(bytes.toString('latin1')));
        socket.once('close', () => done(''));
      });
      return head.slice(9, 12);
    });
    try {
      // Of 16,384 without the reserve three quarters of three quarters.
      assert.equal(statuses.filter((status) => status === '200').length, 8928);
      assert.equal(statuses.filter((status) => status === '429').length, 9200 - 8928);
      for (const other of [host.token, tenant.admin]) {
        assert.equal((await modern(`${host.url}/mcp`, other, 'tools/list')).status, 200);
      }
      assert.equal((await modern(`${host.url}/mcp`, tenant.caller, 'tools/list')).status, 429);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  test('in one body is as many requests to the quota', async () => {
    const small = await addToken(host, { quota: { requests_per_minute: 10 } });
    const session = await Session.open(url, bearer(small), { version: '2025-03-26' });
    const call = (id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: CALL });
    const batch = (n) => session.post(Array.from({ length: n }, (_, i) => call(i)))
      .then(async (response) => JSON.parse(await response.text()));
    const answers = await batch(64);
    const [well, refused] = ['result', 'error'].map((kind) =>
      answers.filter((one) => kind in one));
    assert.equal(well.length, 8); // of ten, initialize and initialized are two
    assert.ok(refused.every(({ error }) => /requests_per_minute/.test(error.message)));
    const other = await Session.open(url, host.headers, { version: '2025-03-26' });
    const whole = await other.post(Array.from({ length: 64 }, (_, i) => call(i)));
    assert.equal((await whole.json()).filter(({ result }) => result).length, 64);
  });

  test('of tokens of one tenant is that tenant\'s', async () => {
    const tenant = await addTenant(host, 'small', { requests_per_minute: 20 });
    const tokens = [tenant.caller, tenant.admin, ...await Promise.all(
      Array.from({ length: 4 }, () => addToken(host, { tenant: 'small' })))];
    const statuses = [];
    for (let i = 0; i < 60; i++) {
      const { status } = await modern(`${host.url}/mcp`, tokens[i % tokens.length], 'tools/list');
      statuses.push(status);
    }
    assert.deepEqual(statuses, Array.from(statuses, (_, i) => (i < 20 ? 200 : 429)));
    assert.equal((await modern(`${host.url}/mcp`, host.token, 'tools/list')).status, 200);
  });
});

test('a body that is a bomb is refused, and costs nothing that stays', async () => {
  const begin = resident();
  const bombs = { arrays: '['.repeat(4 * MIB - 1), objects: '{"a":'.repeat(700_000),
    digits: `{"jsonrpc":"2.0","id":${'9'.repeat(MIB)},"method":"ping"}`,
    bom: '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}',
    nul: '{"jsonrpc":"2.0","id":1,"method":"pi\0ng"}',
    twice: '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    'twice, escaped': '{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"ping"}',
    'two ids': '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    'two versions': '{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}' };
  for (const [what, body] of Object.entries(bombs)) {
    const response = await post(body);
    await response.text();
    assert.equal(response.status, 400, what);
  }
  const deep = '['.repeat(200) + ']'.repeat(200);
  const lone = await post(`{"jsonrpc":"2.0","id":"\\ud800","method":"ping","params":{"x":${deep}}}`);
  assert.match(await lone.text(), /"id":"\\ud800","result"/);
  await unharmed(begin, 64 * MIB);
});

test('what a client writes is one line of the log, and no secret', async () => {
  const poison = 'x\r\n{"level":"error","text":"forged"}\u001b[31m\u202e';
  await modern(`${host.url}/mcp`, token, 'tools/call', { name: poison, arguments: {} });
  await modern(`${host.url}/mcp`, token, 'resources/read', { uri: `cordon:${poison}` });
  await fetch(`${host.url}/s/${encodeURIComponent(poison)}/mcp?token=${token}`,
    { headers: { ...flooder, traceparent: 'x"} forged{' } }).then((one) => one.text());
  await unharmed(resident(), 64 * MIB);
  const secrets = [host.token, token];
  const log = host.log.join('\n');
  assert.ok(host.log.some((line) => /tools\/call|answered|POST/.test(line)));
  assert.ok(secrets.every((secret) => !log.includes(secret)));
  assert.ok(host.log.every((line) => !/^\{"level":"error"/.test(line) && !/[\0-\x1f\x7f]/.test(line)));
  const metrics = await fetch(`${host.url}/metrics`, { headers: host.headers })
    .then((one) => one.text());
  assert.ok(metrics.split('\n').every((line) => line === '' || line.startsWith('# ') ||
    /^cordon_\w+(\{(\w+="[^"\n]*",?)+\})? [\d.]+$/.test(line)));
  assert.ok(secrets.every((secret) => !metrics.includes(secret)));
  assert.doesNotMatch(metrics, /forged/);
});
