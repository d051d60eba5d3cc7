// SPDX-License-Identifier: Apache-2.0

// Promise: a session is of whom it was opened by, where it was opened, until it
// ends. Its id, its streams, its calls and what it is asked are nobody else's.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { eventsOf, messageIn, Session } from '../lib/session.mjs';
import { addServer, addTenant, addToken, bearer, everything, killGateway, modern,
  noTroubles, spoilt, troubles } from '../lib/strangers.mjs';

let host;
let url;
let thieves; // [who, URL, headers]

before(async () => {
  host = await Host.start({ files: { 'isolate.js': everything, 'second.js': everything } });
  url = host.endpoint('isolate');
  const other = await addTenant(host, 'other');
  await addServer(host, 'isolate', everything, { state: 'approve', token: other.admin });
  const same = await addToken(host, {});
  thieves = [
    ['another token of the tenant', url, bearer(same)],
    ['another tenant', url, bearer(other.caller)],
    ['another tenant, at its path', `${host.url}/t/other/s/isolate/mcp`, bearer(other.caller)],
    ['its owner, at another server', host.endpoint('second'), host.headers],
    ['its owner, at all servers', `${host.url}/mcp`, host.headers],
  ];
});
after(async () => assert.deepEqual(await troubles(host), noTroubles));

const open = (options) => Session.open(url, host.headers, options);
const textOf = ({ result }) => result?.content?.map(({ text }) => text).join('');

async function works(session, nonce = 'here') {
  assert.equal(textOf(await session.call('test_echo', { nonce })), nonce);
}

// All that can be done with an id: what each is answered with.
async function uses(at, headers, id) {
  const init = (method, body) => ({ method, body, headers: { ...headers,
    'content-type': 'application/json', accept: 'application/json, text/event-stream',
    'mcp-session-id': id } });
  const statuses = [];
  for (const one of [
    init('POST', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
    init('POST', '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'),
    init('POST', '{"jsonrpc":"2.0","id":1,"result":{}}'),
    init('GET'), init('DELETE')]) {
    const response = await fetch(at, one);
    await response.body?.cancel();
    statuses.push(response.status);
  }
  return statuses;
}

describe('a session\'s id', () => {
  test('is good for its owner alone, where it was opened', async () => {
    const session = await open();
    for (const [who, at, headers] of thieves) {
      assert.deepEqual(await uses(at, headers, session.id), [404, 404, 404, 404, 404], who);
    }
    await works(session);
    assert.deepEqual(await uses(url, host.headers, session.id), [200, 202, 202, 200, 204]);
  });

  test('cannot be made, changed or cut', async () => {
    const session = await open();
    const { result } = await modern(url, host.token, 'tools/call',
      { name: 'test_elicitation', arguments: { message: 'Who?' } });
    const { events: [{ id: event }] } = await session.request('tools/call',
      { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 1 } });
    const made = [...spoilt(session.id), result.requestState, event, 'null', '0',
      '../../x', "' OR 1=1 --", 'A'.repeat(4000)].filter((id) => id !== '');
    for (const id of made) {
      const response = await fetch(url, { method: 'POST', headers: { ...session.headers,
        'mcp-session-id': id }, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
      await response.body?.cancel();
      assert.equal(response.status, 404, id);
    }
    await works(session);
  });

  test('is not revived by a restart', async () => {
    const [session, ended] = [await open(), await open()];
    assert.equal(await ended.end(), 204);
    await killGateway(host);
    assert.deepEqual(await uses(url, host.headers, ended.id), [404, 404, 404, 404, 404]);
    for (const [who, at, headers] of thieves) {
      assert.deepEqual(await uses(at, headers, session.id), [404, 404, 404, 404, 404], who);
    }
    await works(session);
    host.log.length = 0; // the gateway was killed here
  });

  test('names a session of its own revision', async () => {
    const session = await open();
    for (const version of ['2025-06-18', '2024-11-05', '1999-01-01']) {
      const { status } = await session.call('test_simple_text', {},
        { headers: { 'mcp-protocol-version': version } });
      assert.equal(status, 400, version);
    }
    await works(session);
  });
});

describe('a session\'s streams', () => {
  test('are resumed by itself alone, from events that it had', async () => {
    const [mine, other] = [await open(), await open()];
    const { events: [first], result } = await mine.request('tools/call',
      { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 1 } });
    assert.ok(result);
    for (const since of [...spoilt(first.id)].filter((id) => id !== '')) {
      const { status, response } = await mine.stream({ since });
      await response.body?.cancel();
      assert.equal(status, 400, since);
    }
    const { status, response } = await other.stream({ since: first.id });
    await response.body?.cancel();
    assert.equal(status, 400);
    const own = await mine.stream({ since: first.id });
    const seen = [];
    for await (const event of own.events) seen.push(messageIn(event));
    assert.deepEqual(seen.filter(Boolean).at(-1).result, result);
  });

  test('bring nothing of another session, whatever its requests are called', async () => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => open()));
    const answers = await Promise.all(sessions.map(async (session, i) => {
      const response = await session.post({ jsonrpc: '2.0', id: 7, method: 'tools/call',
        params: { name: 'test_echo', arguments: { nonce: `of ${i}`, ms: 30 },
          _meta: { progressToken: 7 } } });
      return response.text();
    }));
    answers.forEach((text, i) => {
      assert.deepEqual(text.match(/of \d/g), [`of ${i}`]);
    });
  });
});

describe('what a session is asked', () => {
  test('is answered by that session alone, in the very words', async () => {
    const can = { capabilities: { elicitation: {} } };
    const [mine, other] = [await open(can), await open(can)];
    const response = await mine.post({ jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: { name: 'test_elicitation', arguments: { message: 'Who?' } } });
    const events = eventsOf(response.body);
    let ask;
    while (ask === undefined) ask = messageIn((await events.next()).value);
    assert.equal(ask.method, 'elicitation/create');
    const say = async (session, id, action) => {
      const sent = await session.post({ jsonrpc: '2.0', id, result: { action, content: {} } });
      await sent.body?.cancel();
      return sent.status;
    };
    await say(other, ask.id, 'accept');
    for (const id of [String(ask.id), ask.id + 1, ask.id - 1, `${ask.id}.0`, 0, -1]) {
      await say(mine, id, 'accept');
    }
    // Nobody's: without a session, and by other tokens.
    for (const [, at, headers] of thieves) {
      await fetch(at, { method: 'POST', headers: { ...headers,
        'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ask.id, result: { action: 'accept' } }) })
        .then((sent) => sent.body?.cancel());
    }
    assert.equal(await say(mine, ask.id, 'decline'), 202);
    await say(mine, ask.id, 'accept');
    let answer;
    while (answer === undefined) answer = messageIn((await events.next()).value);
    assert.match(textOf(answer), /action=decline/);
  });
});

describe('a session\'s calls', () => {
  const cancel = async (session, requestId, headers) => {
    const sent = await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled',
      params: { requestId } }, { headers });
    await sent.body?.cancel();
  };

  test('are cancelled by their own session, by their very id', async () => {
    const [mine, other] = [await open(), await open()];
    const answer = mine.post({ jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: { name: 'test_echo', arguments: { nonce: 'whole', ms: 300 } } });
    await cancel(other, 1);
    for (const id of ['1', 10, -1, null, [1], { 1: 1 }, true]) await cancel(mine, id);
    const whole = await (await answer).text();
    assert.match(whole, /whole/);
    // The same by who may, however late the call begins.
    let over = false;
    const ended = mine.post({ jsonrpc: '2.0', id: 2, method: 'tools/call',
      params: { name: 'test_echo', arguments: { nonce: 'gone', ms: 20_000 } } })
      .then((response) => response.text()).finally(() => { over = true; });
    while (!over) await cancel(mine, 2);
    assert.equal(await ended, '');
  });

  test('have one id each: 1 is not "1", and twice is refused', async () => {
    const session = await open({ version: '2025-03-26' });
    const call = (id, nonce) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call",` +
      `"params":{"name":"test_echo","arguments":{"nonce":"${nonce}","ms":50}}}`;
    const response = await fetch(url, { method: 'POST', headers: session.headers,
      body: `[${call('1', 'number')},${call('"1"', 'string')},${call('1', 'twice')},` +
        `${call('1.0', 'fraction')},${call('1e0', 'power')},` +
        `${call('100000000000000000000001', 'huge')}]` });
    const text = await response.text();
    const said = (id) => text.match(new RegExp(`"id":${id},"(result|error)"`, 'g'));
    assert.deepEqual(said('1'), ['"id":1,"result"', '"id":1,"error"']);
    assert.deepEqual(said('"1"'), ['"id":"1","result"']);
    assert.deepEqual(said('100000000000000000000001'), ['"id":100000000000000000000001,"result"']);
    assert.equal(said('null').length, 2);
    assert.doesNotMatch(text, /twice|fraction|power/);
  });
});

test('where all sessions are busy, one more is no accident', async (t) => {
  const small = await Host.start({ files: { 'isolate.js': everything },
    config: { sessions: { per_principal: 2 } } });
  t.after(() => small.exit ?? small.kill());
  const at = small.endpoint('isolate');
  const busy = async () => {
    const session = await Session.open(at, small.headers);
    const { events } = await session.stream();
    await events.next();
    return session;
  };
  const [first, second] = [await busy(), await busy()];
  // It gets the place of the one that was quiet for longest.
  const third = await Session.open(at, small.headers);
  await works(third);
  assert.deepEqual(await Promise.all([first, second].map(async (session) =>
    (await session.call('test_simple_text')).status)), [404, 200]);

  // The same for one that comes back after a restart.
  await killGateway(small);
  small.log.length = 0;
  for (const session of [second, third]) {
    const { events } = await session.stream();
    await events.next();
  }
  await works(first);
  const { status, events } = await first.stream();
  assert.equal(status, 200);
  await events.next();
  await works(first);
  assert.deepEqual(await troubles(small), noTroubles);
});
