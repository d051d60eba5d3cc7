// SPDX-License-Identifier: Apache-2.0

// Sessions, streams, asks and subscriptions, to clients of both eras.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { Front, LEGACY, events } from './front-host.mjs';

let front;
before(async () => { front = await Front.start(); });
after(async () => { await front.stop(); });

const ELICIT = { elicitation: {} };
const accepted = (content) => ({ action: 'accept', content });

async function statusAndCode(response) {
  const body = await response.json();
  return [response.status, body.error?.code];
}

test('a session: opened, used, ended, and over', async () => {
  const session = await front.open();
  assert.match(session['mcp-session-id'], /^[\x21-\x7e]{40,120}$/);
  assert.equal((await front.post({ jsonrpc: '2.0',
    method: 'notifications/initialized' }, session)).status, 202);
  assert.deepEqual((await (await front.post(front.request('ping'), session))
    .json()).result, {});
  const end = () => front.http('/s/one/mcp',
    { method: 'DELETE', headers: session });
  assert.equal((await end()).status, 204);
  assert.deepEqual(await statusAndCode(await front.post(
    front.request('ping'), session)), [404, -32600]);
  assert.equal((await end()).status, 404);
  assert.match(front.log, /audit 1 session\/end/);
});

test('a session is its principal\'s, its endpoint\'s, its version\'s', async () => {
  const session = await front.open();
  const ping = (headers, options) => front.post(front.request('ping'),
    { ...session, ...headers }, options);
  assert.equal((await ping({ authorization: 'Bearer b' })).status, 404);
  assert.equal((await ping({ authorization: 'Bearer c' })).status, 404);
  assert.equal((await ping({}, { path: '/s/two/mcp' })).status, 404);
  assert.equal((await ping({}, { path: '/mcp' })).status, 404);
  assert.equal((await ping({ 'mcp-protocol-version': '2025-06-18' })).status, 400);
  assert.equal((await front.http('/s/one/mcp', { method: 'DELETE',
    headers: { ...session, authorization: 'Bearer b' } })).status, 404);
  for (const forged of ['x', '', 'A'.repeat(92), 'é', '../..',
    session['mcp-session-id'].replace(/.$/, (c) => c === 'A' ? 'B' : 'A')]) {
    const response = await ping({ 'mcp-session-id': encodeURI(forged) });
    assert.equal(response.status, 404, forged);
  }
  assert.equal((await ping({})).status, 200);
});

test('what needs a session says so', async () => {
  for (const [method, headers] of [['GET', {}], ['DELETE', {}]]) {
    assert.equal((await front.http('/s/one/mcp', { method, headers })).status, 400);
  }
  assert.deepEqual(await statusAndCode(await front.post(
    front.request('logging/setLevel', { level: 'info' }))), [400, -32600]);
  assert.equal((await front.http('/s/one/mcp', { method: 'GET',
    headers: { 'mcp-protocol-version': '2026-07-28' } })).status, 405);
  assert.equal((await front.http('/s/one/mcp', { method: 'PUT', body: '' })).status, 405);
});

test('the answer is JSON, byte for byte, when nothing comes before it', async () => {
  const session = await front.open();
  const response = await front.call('echo', session, { a: 1 });
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.match(await response.text(), /"big":12345678901234567890/);
});

test('progress comes with the client\'s own token, or not at all', async () => {
  const session = await front.open();
  const stream = events(await front.call('progress', session));
  const [prime, ...rest] = await stream.all();
  assert.equal(prime.data, '');
  assert.match(prime.id, /^[\w-]{32}$/);
  assert.match(prime.retry, /^\d+$/);
  assert.deepEqual(rest.map(({ json }) => json.params?.progressToken),
    ['mine', 'mine', 'mine', undefined]);
  assert.equal(new Set(rest.map(({ id }) => id)).size, 4);
  const without = await front.post(front.request('tools/call',
    { name: 'progress' }), session);
  assert.equal(without.headers.get('content-type'), 'application/json');
  await without.json();
});

test('a client that takes events only gets one, and its session', async () => {
  const response = await front.post(front.request('initialize',
    { protocolVersion: LEGACY, capabilities: {} }), { accept: 'text/event-stream' });
  const session = { 'mcp-session-id': response.headers.get('mcp-session-id') };
  assert.equal((await events(response).next()).json.result.protocolVersion, LEGACY);
  const pong = await front.post(front.request('ping'),
    { ...session, accept: 'text/event-stream' });
  assert.deepEqual((await events(pong).next()).json.result, {});
  const refused = await front.http('/s/one/mcp',
    { headers: { ...session, accept: 'application/json' } });
  assert.equal(refused.status, 406);
});

test('older clients get no empty event', async () => {
  const session = await front.open({}, { version: '2025-06-18' });
  const stream = events(await front.call('progress', session));
  assert.equal((await stream.next()).json.method, 'notifications/progress');
  await stream.all();
});

test('a lost answer is read on with Last-Event-ID, and only that stream', async () => {
  const session = await front.open(ELICIT);
  const stopped = new AbortController();
  const response = await front.call('ask', session, {},
    { signal: stopped.signal, id: 'lost' });
  const first = events(response);
  const prime = await first.next();
  const ask = await first.next();
  assert.equal(ask.json.method, 'elicitation/create');
  stopped.abort();
  const other = events(await front.call('progress', session));
  await other.all();
  assert.equal((await front.post({ jsonrpc: '2.0', id: ask.json.id,
    result: accepted({ name: 'n' }) }, session)).status, 202);
  const read = async (id) => {
    const again = await front.http('/s/one/mcp',
      { headers: { ...session, 'last-event-id': id } });
    return (await events(again).all()).filter(({ json }) => json);
  };
  const rest = await read(ask.id);
  assert.equal(rest.length, 1);
  assert.equal(rest[0].json.id, 'lost');
  assert.match(rest[0].json.result.content[0].text, /1=.*"name":"n"/);
  assert.equal((await read(prime.id)).length, 2);
  const strangers = await front.open();
  assert.equal((await front.http('/s/one/mcp', { headers: {
    ...strangers, 'last-event-id': ask.id } })).status, 400);
  assert.equal((await front.http('/s/one/mcp', { headers: {
    ...session, 'last-event-id': 'x' } })).status, 400);
});

test('what is kept of streams is bounded', async () => {
  const small = await Front.start({ resume: 2000 });
  const session = await small.open();
  const all = await events(await small.call('big', session)).all();
  assert.ok((await small.counts()).kept <= 2000);
  const again = await small.http('/s/one/mcp', { headers: {
    ...session, 'last-event-id': all[0].id } });
  assert.equal(again.status, 400);
  await small.stop();
});

test('an ask of a legacy client is answered by its own session alone', async () => {
  const session = await front.open(ELICIT);
  const other = await front.open(ELICIT);
  const stream = events(await front.call('ask', session));
  await stream.next();
  const { json } = await stream.next();
  assert.equal(json.params.message, 'name?');
  assert.ok(!('_meta' in json.params), 'a token of the server\'s own hop');
  const answer = (headers, result) => front.post(
    { jsonrpc: '2.0', id: json.id, result }, headers);
  assert.equal((await answer(other, accepted({ name: 'evil' }))).status, 202);
  assert.equal((await answer(session, accepted({ name: 'good' }))).status, 202);
  const end = await stream.next();
  assert.match(end.json.result.content[0].text, /good/);
  assert.equal((await answer(session, accepted({}))).status, 202);
});

test('a client is asked only what it declared', async () => {
  const session = await front.open();
  const legacy = await (await front.call('sample', session)).json();
  assert.equal(legacy.error.code, -32002);
  const modern = await front.modern('tools/call', { name: 'sample' });
  assert.equal(modern.status, 400);
  const { error } = await modern.json();
  assert.equal(error.code, -32021);
  assert.deepEqual(error.data.requiredCapabilities, { sampling: {} });
});

test('a modern client\'s call is parked, and goes on with the retry', async () => {
  const params = { name: 'ask2', arguments: { a: [1, 'x'] } };
  const options = { can: ELICIT };
  const first = (await (await front.modern('tools/call', params, options)).json()).result;
  assert.equal(first.resultType, 'input_required');
  const keys = Object.keys(first.inputRequests);
  assert.equal(keys.length, 2);
  assert.equal(first.inputRequests[keys[0]].method, 'elicitation/create');
  const metas = keys.map((key) => first.inputRequests[key].params._meta);
  assert.deepEqual(metas.map((meta) => meta && Object.keys(meta)), [undefined, ['x']]);
  assert.equal((await front.counts()).asking, 1);
  // One of two: asked for the other again.
  const retry = (inputResponses, requestState, more = {}) => front.modern(
    'tools/call', { ...params, inputResponses, requestState, ...more }, options);
  const second = (await (await retry({ [keys[0]]: accepted({ n: 1 }), other: {} },
    first.requestState)).json()).result;
  assert.deepEqual(Object.keys(second.inputRequests), [keys[1]]);
  const rest = { [keys[1]]: accepted({ n: 2 }) };
  // Used before, of another request, of somebody else, broken.
  assert.deepEqual(await statusAndCode(await retry(rest, first.requestState)),
    [400, -32602]);
  assert.deepEqual(await statusAndCode(await retry(rest, second.requestState,
    { arguments: { a: [2, 'x'] } })), [400, -32602]);
  assert.deepEqual(await statusAndCode(await front.modern('tools/call',
    { ...params, inputResponses: rest, requestState: second.requestState },
    { can: ELICIT, headers: { authorization: 'Bearer c' } })), [400, -32602]);
  assert.deepEqual(await statusAndCode(await retry(rest,
    `${second.requestState}-TAMPERED`)), [400, -32602]);
  assert.deepEqual(await statusAndCode(await retry(12345, second.requestState)),
    [400, -32602]);
  const end = (await (await retry(rest, second.requestState)).json()).result;
  assert.equal(end.resultType, 'complete');
  assert.match(end.content[0].text, /"n":1.*"n":2/);
  assert.equal((await front.counts()).asking, 0);
  assert.deepEqual(await statusAndCode(await retry(rest, second.requestState)),
    [400, -32602]);
});

test('calls that wait for answers are bounded, and end in time', async () => {
  const host = await Front.start({ ask: 2 });
  const park = async () => (await (await host.modern('tools/call',
    { name: 'ask' }, { can: ELICIT })).json()).result;
  const parked = [];
  for (let i = 0; i < 4; i++) parked.push(await park());
  assert.ok(parked.every(({ resultType }) => resultType === 'input_required'));
  assert.match((await park()).content[0].text, /too many calls/);
  await host.until(async () => (await host.counts()).asking === 0);
  assert.match(host.log, /cancel ask the client did not come back/);
  const late = await host.modern('tools/call', { name: 'ask',
    inputResponses: {}, requestState: parked[0].requestState }, { can: ELICIT });
  assert.deepEqual(await statusAndCode(late), [400, -32602]);
  await host.stop();
});

test('a call that nobody could come back to ends at once', async () => {
  const host = await Front.start();
  const call = (name) => host.modern('tools/call', { name }, { can: ELICIT });
  const before = await host.counts();
  await host.http('/keyless');
  const response = await call('ask');
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) >= 1);
  assert.match((await response.json()).error.message, /requestState was not sealed/);
  const { asking, calls, running } = await host.counts();
  assert.deepEqual([asking, calls, running],
    [before.asking, before.calls, before.running]);
  assert.match(host.log, /cancel ask the client could not be asked/);
  await host.http('/keyless');
  assert.equal((await (await call('ask')).json()).result.resultType,
    'input_required');
  await host.stop();
});

test('a legacy client that does not answer in time is told so', async () => {
  const host = await Front.start({ ask: 1 });
  const stream = events(await host.call('ask', await host.open(ELICIT)));
  await stream.next();
  const ask = (await stream.next()).json;
  const withdrawn = (await stream.next()).json;
  assert.equal(withdrawn.method, 'notifications/cancelled');
  assert.equal(withdrawn.params.requestId, ask.id);
  assert.match((await stream.next()).json.result.content[0].text,
    /1!.*did not answer in time/);
  await host.stop();
});

test('a state from before a restart is refused with a sentence', async () => {
  const host = await Front.start();
  const { requestState } = (await (await host.modern('tools/call',
    { name: 'ask' }, { can: ELICIT })).json()).result;
  const next = await host.restart();
  const answer = await (await next.modern('tools/call', { name: 'ask',
    inputResponses: {}, requestState }, { can: ELICIT })).json();
  assert.match(answer.error.message, /make the request anew/);
  await next.stop();
});

test('a server\'s own state is sealed for a modern client', async () => {
  const params = { name: 'modern' };
  const first = (await (await front.modern('tools/call', params,
    { can: ELICIT })).json()).result;
  assert.deepEqual(Object.keys(first.inputRequests), ['who']);
  assert.match(first.requestState, /^[\w-]{100,}$/);
  const retry = (requestState) => front.modern('tools/call', { ...params,
    inputResponses: { who: accepted({}) }, requestState }, { can: ELICIT });
  assert.deepEqual(await statusAndCode(await retry('s1')), [400, -32602]);
  const end = (await (await retry(first.requestState)).json()).result;
  assert.deepEqual(end.got, { who: accepted({}) });
  assert.match(front.log, /modern state "s\\u0031"/);
});

test('a legacy client is asked what a modern server wants, and it is called again', async () => {
  const session = await front.open(ELICIT);
  const stream = events(await front.call('modern', session));
  await stream.next();
  const ask = (await stream.next()).json;
  assert.equal(ask.params.message, 'who?');
  await front.post({ jsonrpc: '2.0', id: ask.id,
    result: accepted({ name: 'me' }) }, session);
  const { result } = (await stream.next()).json;
  assert.deepEqual(result.got, { who: accepted({ name: 'me' }) });
  assert.equal(result.resultType, undefined);
  // One that cannot be answered counts as cancelled.
  const again = events(await front.call('modern', session));
  await again.next();
  await front.post({ jsonrpc: '2.0', id: (await again.next()).json.id,
    error: { code: -32603, message: 'no' } }, session);
  assert.deepEqual((await again.next()).json.result.got,
    { who: { action: 'cancel' } });
  const bare = await (await front.call('modern', await front.open())).json();
  assert.equal(bare.result.isError, true);
});

test('cancelling ends one call: of this session, with this id', async () => {
  const session = await front.open();
  const cancel = (requestId, headers = session) => front.post({ jsonrpc: '2.0',
    method: 'notifications/cancelled', params: { requestId } }, headers);
  const hang = front.call('hang', session, {}, { id: 77 });
  await front.until(async () => (await front.counts()).calls === 1);
  assert.deepEqual(await statusAndCode(await front.post(
    front.request('ping', {}, 77), session)), [400, -32600]);
  await cancel('77');
  await cancel(77, await front.open());
  assert.equal((await front.counts()).calls, 1);
  await cancel(77);
  assert.equal((await hang).status, 202);
  assert.match(front.log, /cancel hang the client cancelled/);
});

test('leaving is cancelling for a modern client, not for a legacy one', async () => {
  const leave = new AbortController();
  const gone = front.modern('tools/call', { name: 'hang' },
    { signal: leave.signal });
  await front.until(async () => (await front.counts()).calls === 1);
  leave.abort();
  await assert.rejects(gone);
  await front.until(async () => (await front.counts()).calls === 0);
  const session = await front.open();
  const stay = new AbortController();
  const left = front.call('hang', session, {}, { signal: stay.signal, id: 5 });
  await front.until(async () => (await front.counts()).calls === 1);
  stay.abort();
  await assert.rejects(left);
  assert.equal((await front.counts()).calls, 1);
  await front.http('/s/one/mcp', { method: 'DELETE', headers: session });
  assert.equal((await front.counts()).calls, 0);
});

test('log messages are of the level that the client wants', async () => {
  const session = await front.open();
  const logged = events(await front.call('log', session));
  await logged.next();
  assert.equal((await logged.next()).json.method, 'notifications/message');
  await logged.all();
  await front.post(front.request('logging/setLevel', { level: 'error' }), session);
  assert.equal((await front.call('log', session)).headers.get('content-type'),
    'application/json');
  assert.deepEqual(await statusAndCode(await front.post(front.request(
    'logging/setLevel', { level: 'loud' }), session)), [200, -32602]);
  const silent = await front.modern('tools/call', { name: 'log' });
  assert.equal(silent.headers.get('content-type'), 'application/json');
  const wanted = await front.modern('tools/call', { name: 'log' },
    { meta: { 'io.modelcontextprotocol/logLevel': 'debug' } });
  assert.equal((await events(wanted).next()).json.params.level, 'info');
});

test('subscriptions/listen: acknowledged, tagged, filtered', async () => {
  const stop = new AbortController();
  const listen = async (notifications) => events(await front.modern(
    'subscriptions/listen', { notifications }, { id: 'sub', signal: stop.signal }));
  const tools = await listen({ toolsListChanged: true, bogus: true,
    resourceSubscriptions: ['test://r', 'no-such'] });
  const prompts = await listen({ promptsListChanged: true });
  const acknowledged = (await tools.next()).json;
  assert.deepEqual(acknowledged, { jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true,
      resourceSubscriptions: ['test://r'] },
    _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });
  await prompts.next();
  await front.modern('tools/call', { name: 'change' });
  await front.modern('tools/call', { name: 'change' });
  const changed = (await tools.next()).json;
  assert.equal(changed.method, 'notifications/tools/list_changed');
  assert.equal(changed.params._meta['io.modelcontextprotocol/subscriptionId'], 'sub');
  await front.modern('tools/call', { name: 'update' });
  const updated = (await tools.next()).json;
  assert.equal(updated.method, 'notifications/resources/updated');
  assert.equal(updated.params.uri, 'test://r');
  await front.http('/drain');
  assert.deepEqual((await tools.next()).json, { jsonrpc: '2.0', id: 'sub',
    result: { resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });
  assert.equal((await prompts.next()).json.result.resultType, 'complete');
  assert.equal(await prompts.next(), null);
  assert.match(front.log, /subscribe one "test:\/\/r" 0/);
  assert.equal((await front.counts()).streams, 0);
});

test('a session\'s GET stream: its own changes and updates', async () => {
  const session = await front.open();
  const strangers = await front.open({}, { path: '/s/two/mcp' });
  const get = async (headers, path = '/s/one/mcp') =>
    events(await front.http(path, { headers }));
  const stream = await get(session);
  const other = await get(strangers, '/s/two/mcp');
  await stream.next();
  await other.next();
  assert.deepEqual((await (await front.post(front.request('resources/subscribe',
    { uri: 'test://r' }), session)).json()).result, {});
  await (await front.call('update', session)).json();
  assert.equal((await stream.next()).json.params.uri, 'test://r');
  const log = (await stream.next());
  assert.equal(log.json.params.data, 'w');
  assert.equal((await stream.next()).json.params.data, 'd');
  await front.post(front.request('logging/setLevel', { level: 'warning' }), session);
  await (await front.call('update', session)).json();
  await stream.next();
  const last = await stream.next();
  // A second GET takes over, from where the first was.
  const second = events(await front.http('/s/one/mcp',
    { headers: { ...session, 'last-event-id': log.id } }));
  assert.equal(await stream.next(), null);
  for (let i = 0; i < 2; i++) await second.next();
  assert.equal((await second.next()).id, last.id);
  await front.post(front.request('resources/unsubscribe', { uri: 'test://r' }), session);
  await (await front.call('change', session)).json();
  assert.equal((await second.next()).json.method, 'notifications/tools/list_changed');
  await front.http('/s/one/mcp', { method: 'DELETE', headers: session });
  assert.equal(await second.next(), null);
  await front.http('/s/two/mcp', { method: 'DELETE', headers: strangers });
  // Nothing of the other server's came to this one.
  const late = await other.next();
  assert.equal(late, null);
});

test('a subscription outlives who began it, and the server\'s links', async () => {
  const one = await front.open();
  const two = await front.open({ roots: {} });
  const told = () => front.log.match(/subscribe one "test:\/\/r" .*/g)
    .map((line) => line.slice('subscribe one "test://r" '.length)).slice(from);
  const from = (front.log.match(/subscribe one "test:\/\/r" .*/g) ?? []).length;
  const watch = (session) => front.post(
    front.request('resources/subscribe', { uri: 'test://r' }), session);
  const leave = (session) => front.http('/s/one/mcp',
    { method: 'DELETE', headers: session });
  await watch(one);
  await watch(two);
  assert.deepEqual(told(), ['1 0']);
  await leave(one);
  await until('the hand-over', () => told().length === 3);
  const can = told()[2].slice(2);
  assert.notEqual(can, '0');
  assert.deepEqual(told(), ['1 0', '0 0', `1 ${can}`]);
  await front.call('restart', two);
  await until('the new subscription', () => told().length === 5);
  assert.deepEqual(told().slice(3), [`0 ${can}`, `1 ${can}`]);
  await leave(two);
  await until('the end', () => told().length === 6);
  assert.equal(told()[5], `0 ${can}`);
});

test('roots that changed are told upstream, with what the client can', async () => {
  const session = await front.open({ roots: { listChanged: true } });
  await front.post({ jsonrpc: '2.0',
    method: 'notifications/roots/list_changed' }, session);
  assert.match(front.log,
    /notify one notifications\/roots\/list_changed \{"roots":\{"listChanged":true\}\}/);
});

test('methods of the other era, and none at all', async () => {
  for (const method of ['initialize', 'ping', 'logging/setLevel',
    'resources/subscribe', 'what/ever', 'tasks/get']) {
    assert.deepEqual(await statusAndCode(await front.modern(method,
      method === 'tasks/get' ? { taskId: 'x' } : {},
      { headers: { 'mcp-name': 'x' } })), [404, -32601], method);
  }
  const session = await front.open();
  for (const method of ['server/discover', 'subscriptions/listen', 'nope']) {
    assert.deepEqual(await statusAndCode(await front.post(
      front.request(method, {}), session)), [200, -32601], method);
  }
});

test('what is not there, in the words of each era', async () => {
  const session = await front.open();
  const legacy = (method, params) => front.post(
    front.request(method, params), session);
  assert.deepEqual(await statusAndCode(await legacy('tools/call',
    { name: 'no-tool' })), [200, -32602]);
  assert.deepEqual(await statusAndCode(await legacy('resources/read',
    { uri: 'no-uri' })), [200, -32002]);
  assert.deepEqual(await statusAndCode(await front.modern('resources/read',
    { uri: 'no-uri' })), [200, -32602]);
  assert.deepEqual(await statusAndCode(await front.modern('tools/call',
    { name: 'fail' })), [200, -32602]);
  assert.deepEqual(await statusAndCode(await legacy('tools/call',
    { name: 'fail' })), [200, -32002]);
  assert.deepEqual(await statusAndCode(await legacy('tools/list',
    { cursor: 'x' })), [200, -32602]);
  assert.deepEqual(await statusAndCode(await legacy('tools/call',
    { name: 'echo', arguments: [] })), [200, -32602]);
});

test('a token without the scope may read, not call', async () => {
  const headers = { authorization: 'Bearer b' };
  const session = await front.open({}, { headers });
  assert.deepEqual(await statusAndCode(await front.call('echo', session)),
    [403, -32600]);
  assert.equal((await front.post(front.request('tools/list', {}), session)).status, 200);
});

test('a quota that is used up is 429, and says when', async () => {
  const session = await front.open();
  const hanging = [];
  for (let i = 0; i < 20; i++) hanging.push(front.call('hang', session));
  await front.until(async () => (await front.counts()).running === 20);
  const refused = await front.call('echo', session);
  assert.equal(refused.headers.get('retry-after'), '7');
  assert.deepEqual(await statusAndCode(refused), [429, -32000]);
  await front.http('/s/one/mcp', { method: 'DELETE', headers: session });
  await Promise.all(hanging);
  assert.equal((await front.counts()).running, 0);
});

test('headers that repeat arguments must agree with them', async () => {
  const call = (headers) => front.modern('tools/call',
    { name: 'header', arguments: { region: 'eu' } }, { headers });
  assert.deepEqual(await statusAndCode(await call({ 'mcp-param-region': 'us' })),
    [400, -32020]);
  assert.deepEqual(await statusAndCode(await call({})), [400, -32020]);
  assert.equal((await call({ 'mcp-param-region': 'eu' })).status, 200);
});

test('a batch is 2025-03-26\'s; its answers come together, or as they are ready', async () => {
  const session = await front.open({}, { version: '2025-03-26' });
  const batch = [front.request('ping', {}), { jsonrpc: '2.0',
    method: 'notifications/initialized' }, front.request('tools/call',
    { name: 'echo' })];
  const answers = await (await front.post(batch, session)).json();
  assert.deepEqual(answers.map(({ id }) => id), [batch[0].id, batch[2].id]);
  batch[2] = front.request('tools/call',
    { name: 'progress', _meta: { progressToken: 1 } });
  batch[0].id = 'b';
  const stream = await events(await front.post(batch, session)).all();
  assert.deepEqual(stream.map(({ json }) => json.id ?? json.params.progress),
    ['b', 1, 2, 3, batch[2].id]);
  assert.equal((await front.post(batch, await front.open())).status, 400);
});

test('a client that does not read is paused for, and cut in the end', async () => {
  const session = await front.open();
  const response = await front.call('flood', session, {}, { id: 'f' });
  await front.until(() => /pause 1/.test(front.log));
  const got = await events(response).all();
  assert.equal(got.at(-1).json.id, 'f');
  assert.match(front.log, /pause 0/);
});

test('sessions outlive a restart, but not their end', async () => {
  let host = await Front.start();
  const session = await host.open();
  host = await host.restart();
  assert.equal((await host.post(host.request('ping'), session)).status, 200);
  assert.equal((await host.counts()).sessions, 1);
  await host.http('/s/one/mcp', { method: 'DELETE', headers: session });
  assert.equal((await host.post(host.request('ping'), session)).status, 404);
  await host.stop();
});

test('idle sessions end, busy ones do not; there are never too many', async () => {
  const host = await Front.start({ idle: 2, perPrincipal: 20 });
  const busy = await host.open();
  const stream = events(await host.http('/s/one/mcp', { headers: busy }));
  await stream.next();
  const first = await host.open();
  for (let i = 0; i < 30; i++) await host.open();
  assert.equal((await host.counts()).sessions, 20);
  assert.equal((await host.post(host.request('ping'), first)).status, 404);
  await host.until(async () => (await host.counts()).sessions === 1);
  assert.equal((await host.post(host.request('ping'), busy)).status, 200);
  await host.http('/gone');
  assert.equal(await stream.next(), null);
  assert.equal((await host.counts()).sessions, 0);
  await host.stop();
});

test('10,000 sessions that nobody came back to', async () => {
  const host = await Front.start({ perPrincipal: 30_000 });
  const many = async (n) => {
    for (let i = 0; i < n; i += 50) {
      await Promise.all(Array.from({ length: 50 }, () => host.open()));
    }
  };
  await many(1000);
  const before = host.memory();
  await many(10_000);
  assert.equal((await host.counts()).sessions, 11_000);
  const each = (host.memory() - before) / 10_000;
  // Sanitizers hold on to what was freed.
  assert.ok(each <= 200 || patience > 1, `${each} bytes each`);
  await host.stop();
});

test('an answer that is long in coming becomes a stream', { timeout: 60_000 }, async () => {
  const response = await front.call('hang', await front.open({},
    { version: LEGACY }), {}, { id: 'slow' });
  const stream = events(response);
  assert.equal((await stream.next()).data, '');
  assert.equal((await stream.next()).comment, '');
});

test('a quota of results smaller than what is said of it', async () => {
  const session = await front.open({}, { headers: { authorization: 'Bearer d' } });
  const { result } = await (await front.call('echo', session)).json();
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /^result_too_large: /);
});

test('a session whose room is taken from a busy one is there', async () => {
  const host = await Front.start({ perPrincipal: 1 });
  const busy = await host.open();
  const stream = events(await host.http('/s/one/mcp', { headers: busy }));
  await stream.next();
  const next = await host.open();
  assert.equal((await host.call('echo', next)).status, 200);
  assert.equal((await host.call('echo', busy)).status, 404);
  assert.equal((await host.counts()).sessions, 1);
  await host.stop();
});

test('a session that opens another makes room for it unharmed', async () => {
  const host = await Front.start({ perPrincipal: 1 });
  const first = await host.open();
  const second = await host.open({}, { headers: first });
  assert.equal((await host.call('echo', { ...second,
    'mcp-session-id': second['mcp-session-id'] })).status, 200);
  assert.equal((await host.counts()).sessions, 1);
  await host.stop();
});

test('sessions from before a restart are as many as may be', async () => {
  let host = await Front.start({ perPrincipal: 2 });
  const one = await host.open();
  const two = await host.open();
  host = await host.restart({ perPrincipal: 1 });
  const stream = events(await host.http('/s/one/mcp', { headers: one }));
  await stream.next();
  assert.equal((await host.call('echo', two)).status, 200);
  assert.equal((await host.counts()).sessions, 1);
  await host.stop();
});

test('a server that is denied while its client is asked is not called again', async () => {
  const host = await Front.start();
  const path = '/s/two/mcp';
  const session = await host.open({ elicitation: {} }, { path });
  const stream = events(await host.call('modern', session, {}, { path }));
  const ask = (await stream.next()).json ?? (await stream.next()).json;
  assert.equal(ask.method, 'elicitation/create');
  await host.http('/deny');
  await host.post({ jsonrpc: '2.0', id: ask.id,
    result: { action: 'accept', content: {} } }, session, { path });
  const { result } = (await stream.next()).json;
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /^gone: /);
  assert.equal(host.log.match(/^call tools\/call/gm).length, 1);
  await host.stop();
});

test('a parked call of a server that is denied is not resumed', async () => {
  const host = await Front.start();
  const path = '/s/two/mcp';
  const can = { elicitation: {} };
  const { result } = await (await host.modern('tools/call',
    { name: 'ask', arguments: {} }, { can, path })).json();
  assert.equal(result.resultType, 'input_required');
  await host.http('/deny');
  const retry = await host.modern('tools/call', { name: 'ask', arguments: {},
    requestState: result.requestState,
    inputResponses: { 'ask-1': { action: 'decline' } } }, { can, path });
  assert.equal(retry.status, 400);
  assert.match((await retry.json()).error.message, /not to be called any more/);
  await host.stop();
});
