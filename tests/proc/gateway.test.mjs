// SPDX-License-Identifier: Apache-2.0

// The gateway's answers, to clients that behave.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway, modern } from './fake-gateway.mjs';

let gateway;
before(async () => { gateway = await Gateway.start('-v'); });
after(async () => { assert.equal(await gateway.stop(), 0); });

const rpc = (method, params, id = 1) => ({ jsonrpc: '2.0', id, method, params });

test('a legacy client initializes, lists and calls', async () => {
  const hello = await gateway.post('/s/tools/mcp', rpc('initialize',
    { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }));
  assert.equal(hello.status, 200);
  assert.equal(hello.headers.get('content-type'), 'application/json');
  assert.match(hello.headers.get('mcp-session-id'), /^[\w-]{40,}$/);
  assert.match(hello.headers.get('x-request-id'), /^[0-9a-f]{16}$/);
  const { result } = await hello.json();
  assert.equal(result.protocolVersion, '2025-06-18');
  assert.deepEqual(result.serverInfo, { name: 'fake', version: '1.2.3' });
  assert.equal(result.instructions, 'be kind');

  const noted = await gateway.post('/s/tools/mcp',
    { jsonrpc: '2.0', method: 'notifications/initialized' });
  assert.equal(noted.status, 202);
  assert.equal(await noted.text(), '');

  const list = await (await gateway.post('/s/tools/mcp', rpc('tools/list'))).text();
  assert.match(list, /"x":12345678901234567890/);
  assert.match(list, /"unknown":\[1e400\]/);

  const { result: called } = await gateway.call('echo', { price: 45 });
  assert.deepEqual(called.structuredContent, { price: 45 });
  assert.deepEqual(JSON.parse(called.content[0].text), { price: 45 });
});

test('numbers and escapes pass through untouched', async () => {
  const response = await gateway.post('/s/tools/mcp',
    '{"jsonrpc":"2.0","id":"\\u0061","method":"tools/call","params":' +
    '{"name":"\\u0065cho","arguments":{"n":12345678901234567890,"s":"\\ud800"}}}');
  assert.equal(await response.text(),
    '{"jsonrpc":"2.0","id":"\\u0061","result":{"content":[{"type":"text",' +
    '"text":"{\\"n\\":12345678901234567890,\\"s\\":\\"\\\\ud800\\"}"}],' +
    '"structuredContent":{"n":12345678901234567890,"s":"\\ud800"}}}');
});

test('results are wrapped by their type', async () => {
  assert.deepEqual((await gateway.call('text')).result,
    { content: [{ type: 'text', text: 'plain é' }] });
  assert.deepEqual((await gateway.call('number')).result,
    { content: [{ type: 'text', text: '12345678901234567890' }] });
  assert.deepEqual((await gateway.call('content')).result,
    { content: [{ type: 'text', text: 'mine' }], isError: false, _meta: { x: 1 } });
});

test('a failed call is a tool error with a stable code', async () => {
  const { status, result } = await gateway.call('throw');
  assert.equal(status, 200);
  assert.equal(result.isError, true);
  assert.equal(result.content[0].text, 'exception: it "broke"');
  assert.deepEqual(result._meta['cordon/error'], { code: 'exception',
    message: 'it "broke"', stack: 'at tool.js:3:7', file: 'tool.js', line: 3,
    column: 7, usage: { cpu_ms: 1.234, wall_ms: 45.678, peak_kib: 910 } });
  const { result: late } = await gateway.call('cpu');
  assert.equal(late._meta['cordon/error'].code, 'timeout');
  assert.equal(late._meta['cordon/error'].limit, 'cpu');
});

test('a result that is no JSON never reaches the client', async () => {
  const { result } = await gateway.call('garbage');
  assert.equal(result._meta['cordon/error'].code, 'invalid_result');
});

test('an overloaded pool is 503 with Retry-After', async () => {
  const response = await gateway.post('/s/tools/mcp',
    rpc('tools/call', { name: 'overload' }));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal((await response.json()).id, 1);
});

test('a bundle that cannot be loaded says where', async () => {
  for (const server of ['broken', 'liar']) {
    const response = await gateway.post(`/s/${server}/mcp`, rpc('tools/list', {}, 'x'));
    const { id, error } = await response.json();
    assert.equal(id, 'x');
    assert.equal(error.code, -32603);
    assert.equal(error.data.code, 'load_error');
    if (server === 'broken') assert.match(error.message, /\(index\.js:2:5\)$/);
    else assert.match(error.message, /is broken: name and version must be strings$/);
  }
  assert.equal((await gateway.call('load_error')).error.code, -32603);
});

test('who comes while a server is still being loaded waits for it', async () => {
  const answers = await Promise.all([1, 2, 3].map((id) =>
    gateway.post('/s/late/mcp', rpc('ping', {}, id))));
  for (const answer of answers) assert.deepEqual((await answer.json()).result, {});
});

test('errors of the protocol', async () => {
  const cases = [
    ['{', 400, -32700], ['', 400, -32700], ['1', 400, -32600],
    ['[]', 400, -32600], ['{"jsonrpc":"2.0","id":1}', 400, -32600],
    [`{"a":${'['.repeat(300)}${']'.repeat(300)}}`, 400, -32700],
    [rpc('no/such'), 200, -32601],
    [rpc('tools/call', { name: 'none' }), 200, -32602],
    [rpc('tools/list', { cursor: 'x' }), 200, -32602],
  ];
  for (const [body, status, code] of cases) {
    const response = await gateway.post('/s/tools/mcp', body);
    assert.equal(response.status, status, JSON.stringify(body));
    assert.equal((await response.json()).error.code, code);
  }
});

test('responses and notifications are taken with 202', async () => {
  for (const body of [{ jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } },
    { jsonrpc: '2.0', method: 'notifications/anything', params: {} }]) {
    assert.equal((await gateway.post('/s/tools/mcp', body)).status, 202);
  }
});

test('which methods there are, and only JSON', async () => {
  for (const [method, status] of [['GET', 400], ['DELETE', 400], ['PUT', 405]]) {
    const response = await gateway.fetch('/s/tools/mcp', { method });
    assert.equal(response.status, status, method);
    await response.text();
  }
  const text = await gateway.post('/s/tools/mcp', rpc('ping'), { 'content-type': 'text/plain' });
  assert.equal(text.status, 415);
});

test('batches: answered in order, in 2025-03-26 only', async () => {
  const batch = [rpc('tools/call', { name: 'slow' }, 'a'),
    { jsonrpc: '2.0', method: 'notifications/x' }, rpc('ping', {}, 'b'),
    rpc('tools/call', { name: 'text' }, 3), 7, rpc('initialize', {}, 4)];
  for (const headers of [{}, { 'mcp-protocol-version': '2025-03-26' }]) {
    const response = await gateway.post('/s/tools/mcp', batch, headers);
    assert.equal(response.status, 200);
    const answers = await response.json();
    assert.deepEqual(answers.map((one) => one.id), ['a', 'b', 3, null, 4]);
    assert.equal(answers[0].result.content[0].text, 'slow');
    assert.equal(answers[3].error.code, -32600);
    assert.equal(answers[4].error.code, -32600);
  }
  const newer = await gateway.post('/s/tools/mcp', batch, { 'mcp-protocol-version': '2025-06-18' });
  assert.equal(newer.status, 400);
  assert.equal((await newer.json()).error.code, -32600);
  const quiet = await gateway.post('/s/tools/mcp', [{ jsonrpc: '2.0', method: 'notifications/x' }]);
  assert.equal(quiet.status, 202);
  const many = await gateway.post('/s/tools/mcp', Array(65).fill(rpc('ping')));
  assert.equal(many.status, 400);
});

test('a client that takes only events gets one event', async () => {
  const response = await gateway.post('/s/tools/mcp', rpc('ping'), { accept: 'text/event-stream' });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(await response.text(),
    'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
});

test('the modern era: discover, list, call', async () => {
  const answer = async (...request) => {
    const response = await gateway.post('/s/tools/mcp', ...request);
    return [response.status, await response.json()];
  };
  const [, discovered] = await answer(...modern('server/discover'));
  assert.deepEqual(discovered.result.supportedVersions, ['2026-07-28']);
  assert.equal(discovered.result.resultType, 'complete');
  assert.equal(typeof discovered.result.ttlMs, 'number');
  const [, listed] = await answer(...modern('tools/list'));
  assert.equal(listed.result.cacheScope, 'private');
  const [status, called] = await answer(...modern('tools/call', { name: 'text' }));
  assert.equal(status, 200);
  assert.equal(called.id, 'm-1');
  assert.equal(called.result.resultType, 'complete');

  const [unknownStatus, unknown] = await answer(...modern('ping'));
  assert.deepEqual([unknownStatus, unknown.error.code], [404, -32601]);
  const [mismatchStatus, mismatch] = await answer(
    ...modern('tools/call', { name: 'text' }, { 'mcp-name': 'echo' }));
  assert.deepEqual([mismatchStatus, mismatch.error.code], [400, -32020]);
  const [versionStatus, version] = await answer(
    JSON.parse(JSON.stringify(modern('tools/list')[0]).replace('2026-07-28', '2099-01-01')),
    { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' });
  assert.deepEqual([versionStatus, version.error.code], [400, -32022]);
  assert.deepEqual(version.error.data,
    { supported: ['2026-07-28'], requested: '2099-01-01' });
  const [legacyStatus] = await answer(rpc('ping'), { 'mcp-protocol-version': 'nonsense' });
  assert.equal(legacyStatus, 400);
});

test('a Workers-style bundle sees the request without what is the host\'s', async () => {
  const response = await gateway.fetch('/s/fetch/page?a=%20b', {
    method: 'POST', body: 'hello', headers: { cookie: 'a=b', 'x-mine': 'yes',
      'proxy-authorization': 'Basic x' } });
  assert.equal(response.status, 201);
  const [json, body] = (await response.text()).split('\n');
  const request = JSON.parse(json);
  assert.equal(body, 'hello');
  assert.equal(request.method, 'POST');
  assert.equal(request.url, `http://127.0.0.1:${gateway.port}/page?a=%20b`);
  const names = request.headers.map(([name]) => name.toLowerCase());
  assert.ok(names.includes('x-mine') && names.includes('host'));
  for (const name of ['authorization', 'cookie', 'proxy-authorization', 'connection',
    'content-length', 'transfer-encoding']) {
    assert.ok(!names.includes(name), name);
  }
});

test('its response comes back without what is the connection\'s', async () => {
  const response = await gateway.fetch('/s/fetch/page');
  await response.text();
  assert.equal(response.headers.get('x-two'), 'a, b');
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal(response.headers.get('content-length'), null);
  assert.equal(response.headers.get('transfer-encoding'), 'chunked');
  const none = await gateway.fetch('/s/fetch/none');
  assert.equal(none.status, 204);
  assert.equal(none.headers.get('x-empty'), 'yes');
  const only = await gateway.fetch('/s/fetch/page', { method: 'HEAD' });
  assert.equal(only.status, 201);
  assert.equal(await only.text(), '');
});

test('a stream arrives piece by piece', async () => {
  const response = await gateway.fetch('/s/fetch/stream');
  assert.equal(response.headers.get('x-accel-buffering'), 'no');
  const pieces = [];
  for await (const piece of response.body) pieces.push(Buffer.from(piece).toString());
  assert.equal(pieces.join(''), 'data: tick\n\n'.repeat(4));
  assert.ok(pieces.length > 1, 'not all at the end');
});

test('a quiet stream gets comments that end no event', async () => {
  const abort = new AbortController();
  const response = await gateway.fetch('/s/fetch/silence', { signal: abort.signal });
  let text = '';
  for await (const piece of response.body) {
    text += Buffer.from(piece).toString();
    if (text.length >= 15) break;
  }
  abort.abort();
  assert.match(text, /^data: half\n:\n:\n/);
});

test('a flood waits for its reader', async () => {
  const before = await gateway.metric('cells_waiting'); // pauses, in the fake
  const response = await gateway.fetch('/s/fetch/flood');
  const reader = response.body.getReader();
  let total = (await reader.read()).value.length;
  await gateway.until(async () => await gateway.metric('cells_waiting') > before);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    total += value.length;
  }
  assert.equal(total, 32 << 20);
});

test('a head that is no HTTP becomes 502, and the call is ended', async () => {
  for (const path of ['bad-status', 'bad-crlf', 'bad-name', 'bad-nul', 'bad-json', 'headless']) {
    const response = await gateway.post(`/s/fetch/${path}`, rpc('ping', {}, 9));
    assert.equal(response.status, 502, path);
    assert.equal(response.headers.get('set-cookie'), null);
    assert.equal((await response.json()).error.code, -32603);
  }
  await gateway.until(async () => await gateway.metric('cells_busy') === 0);
});

test('a response that breaks off is seen to break off', async () => {
  const response = await gateway.fetch('/s/fetch/cut');
  await assert.rejects(response.text());
  assert.equal((await gateway.fetch('/s/fetch/wall')).status, 504);
});

// What happens to the call when its client leaves.
async function leave(path, options) {
  const abort = new AbortController();
  const busy = async () => await gateway.metric('cells_busy');
  const asked = gateway.fetch(path, { ...options, signal: abort.signal });
  await gateway.until(async () => await busy() === 1);
  abort.abort();
  await assert.rejects(asked);
  const seen = gateway.log.split('the client left').length;
  await gateway.until(() => gateway.log.split('the client left').length >= seen);
  return busy;
}

test('a modern client that leaves has cancelled its call', async () => {
  const [message, headers] = modern('tools/call', { name: 'hang' });
  const busy = await leave('/s/tools/mcp', { method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(message) });
  await gateway.until(async () => await busy() === 0);
  await leave('/s/fetch/hang', {}).then((left) =>
    gateway.until(async () => await left() === 0));
});

test('a legacy client that leaves has not', async () => {
  const failed = await gateway.metric('calls_failed_total');
  const busy = await leave('/s/tools/mcp', { method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(rpc('tools/call', { name: 'slow' })) });
  await gateway.until(async () => await busy() === 0);
  assert.equal(await gateway.metric('calls_failed_total'), failed);
});

test('a client that leaves while its server loads is forgotten', async () => {
  const other = await Gateway.start();
  const abort = new AbortController();
  const asked = other.fetch('/s/late/mcp', { method: 'POST', signal: abort.signal,
    headers: { 'content-type': 'application/json' }, body: JSON.stringify(rpc('tools/list')) });
  await other.until(async () => await other.metric('http_pending') === 2);
  abort.abort();
  await assert.rejects(asked);
  await other.until(async () => await other.metric('http_pending') === 1);
  assert.equal((await other.post('/s/late/mcp', rpc('tools/list'))).status, 200);
  assert.equal(await other.stop(), 0);
});

test('what strangers write cannot speak to a terminal', async () => {
  await gateway.fetch('/s/\u009b31m%1b');
  const { request } = await import('node:http');
  await new Promise((resolve) => request({ port: gateway.port, path: '/x',
    headers: { host: 'evil\x9b31m' } }, (answer) => answer.resume().on('end', resolve)).end());
  await gateway.until(() => gateway.log.includes("the Host 'evil?31m'"));
});

test('unknown places are told what there is', async () => {
  for (const path of ['/', '/s/', '/s/none/mcp', '/s/%74ools/mcp', '/S/tools/mcp',
    `/s/${'x'.repeat(100)}/mcp`]) {
    const response = await gateway.fetch(path);
    assert.equal(response.status, 404, path);
    assert.match((await response.json()).error, /\/s\/tools\/mcp/);
  }
  const elsewhere = await gateway.post('/s/tools/other', rpc('ping'));
  assert.equal(elsewhere.status, 404);
  assert.match((await elsewhere.json()).error, /at \/s\/tools\/mcp only/);
});

test('probes need no token, all else does', async () => {
  const bare = (path, headers) => fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers });
  assert.equal((await bare('/healthz')).status, 200);
  assert.equal((await bare('/readyz')).status, 200);
  for (const path of ['/metrics', '/s/tools/mcp', '/']) {
    for (const authorization of ['', 'Bearer wrong', 'Basic letmein']) {
      const response = await bare(path, { authorization });
      assert.equal(response.status, 401);
      assert.equal(response.headers.get('www-authenticate'),
        `Bearer resource_metadata="http://127.0.0.1:${gateway.port}` +
        `/.well-known/oauth-protected-resource${path}"`);
      assert.match((await response.json()).error, /Authorization: Bearer TOKEN/);
    }
  }
});

test('pages from elsewhere may not call', async () => {
  for (const [origin, status] of [['https://evil.example', 403], ['null', 403],
    ['http://localhost:3000', 200], ['https://console.example', 200]]) {
    const response = await gateway.post('/s/tools/mcp', rpc('ping'), { origin });
    assert.equal(response.status, status, origin);
  }
});

test('what tools print is logged escaped, and secrets are not logged', async () => {
  await gateway.call('chatter');
  await gateway.until(() => gateway.log.includes('tools says'));
  assert.match(gateway.log, /warn \[[0-9a-f]{16}\] tools says "line\\nfeed \\u001b\[31m \ufffd"/);
  assert.ok(!gateway.log.includes('letmein'));
});
