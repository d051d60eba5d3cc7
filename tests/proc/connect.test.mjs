// SPDX-License-Identifier: Apache-2.0

// cordon connect against a host that is none: what a client on stdio says and
// hears, and what becomes of it over HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost, TOKEN, lines, sendJson } from './fake-host.mjs';

const REVISION = 'io.modelcontextprotocol/protocolVersion';
const events = (response, headers = {}) =>
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
const event = (message, id) =>
  `${id === undefined ? '' : `id: ${id}\n`}data: ${typeof message === 'string' ?
    message : JSON.stringify(message)}\n\n`;

// The legacy half of a host: sessions, and one open stream.
function legacy(extra = () => false) {
  const host = { streams: [] };
  host.answer = (request, response, raw) => {
    if (request.method === 'GET') {
      events(response);
      response.write(event('', 's-0'));
      host.streams.push({ response, request, raw });
      return;
    }
    if (request.method === 'DELETE') {
      response.writeHead(204).end();
      return;
    }
    const message = JSON.parse(request.body);
    if (extra(message, response, request)) return;
    if (message.method === 'initialize') {
      sendJson(response, 200, { jsonrpc: '2.0', id: message.id,
        result: { protocolVersion: '2025-11-25', capabilities: {} } },
      { 'mcp-session-id': 'sealed-1' });
    } else if (message.id === undefined || message.method === undefined) {
      response.writeHead(202).end();
    } else {
      sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result: { of: message.method } });
    }
  };
  return host;
}

const initialize = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}\n';
const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}\n';

async function openLegacy(t, extra, ...words) {
  const fake = legacy(extra);
  const host = await FakeHost.start(t, fake.answer);
  const child = host.spawn('connect', ...words);
  const next = lines(child);
  child.stdin.write(initialize + initialized);
  assert.equal(JSON.parse(await next()).id, 0);
  await host.until((all) => all.find((one) => one.method === 'GET'));
  return { host, fake, child, next };
}

test('legacy: a session, its stream, its end', async (t) => {
  const { host, fake, child, next } = await openLegacy(t, undefined, 'tools');
  assert.deepEqual(host.requests.map(({ method, url }) => `${method} ${url}`),
    ['POST /s/tools/mcp', 'POST /s/tools/mcp', 'GET /s/tools/mcp']);
  const [first, second, stream] = host.requests;
  assert.equal(first.headers.authorization, `Bearer ${TOKEN}`);
  assert.equal(first.headers['mcp-session-id'], undefined);
  for (const one of [second, stream]) {
    assert.equal(one.headers['mcp-session-id'], 'sealed-1');
    assert.equal(one.headers['mcp-protocol-version'], '2025-11-25');
  }

  // What the host says unasked, and its requests, come as lines.
  fake.streams[0].response.write(event('{"jsonrpc":"2.0","method":"notifications/x"}', 's-1'));
  assert.equal(await next(), '{"jsonrpc":"2.0","method":"notifications/x"}');
  fake.streams[0].response.write(event({ jsonrpc: '2.0', id: 'ask', method: 'roots/list' }));
  assert.equal(JSON.parse(await next()).id, 'ask');
  child.stdin.write('{"jsonrpc":"2.0","id":"ask","result":{"roots":[]}}\n');
  await host.until((all) => all.find((one) => one.body.includes('"roots":[]')));

  child.stdin.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n');
  assert.equal(JSON.parse(await next()).result.of, 'tools/list');
  assert.equal(await child.ended, 0);
  const last = host.requests.at(-1);
  assert.deepEqual([last.method, last.headers['mcp-session-id']], ['DELETE', 'sealed-1']);
  assert.equal(child.text.stderr, '');
});

test('messages pass byte for byte, both ways', async (t) => {
  const odd = '{"id":18446744073709551617,"jsonrpc":"2.0","method":"x","x":[1.0e2, "\\u00e9\\/"],"params":{"a":1,"b":"é"}}';
  const back = '{"result":{"big":123456789012345678901234567890,"s":"\\ud83d\\ude00\\/"},"unknown":null,"id":18446744073709551617,"jsonrpc":"2.0"}';
  const { host, child, next } = await openLegacy(t, (message, response) => {
    if (message.method !== 'x') return false;
    sendJson(response, 200, `\n${back.replace('},"unknown"', '},\r\n"unknown"')}\n`);
    return true;
  });
  child.stdin.write(`\n  \n${odd}\n`);
  assert.equal(await next(), back.replace('},"unknown"', '},  "unknown"'));
  assert.equal(host.requests.find(({ body }) => body.includes('"x":[')).body, odd);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('requests run in parallel; answers come as they are ready', async (t) => {
  const held = [];
  const { child, next } = await openLegacy(t, (message, response) => {
    if (message.method !== 'hold') return false;
    held.push({ message, response });
    return true;
  });
  for (let id = 1; id <= 20; id++) {
    child.stdin.write(`{"jsonrpc":"2.0","id":${id},"method":"hold"}\n`);
  }
  child.stdin.write('{"jsonrpc":"2.0","id":99,"method":"quick"}\n');
  assert.equal(JSON.parse(await next()).id, 99);
  while (held.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  const ids = new Set();
  for (const { message, response } of held.reverse()) {
    sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result: {} });
    ids.add(JSON.parse(await next()).id);
  }
  assert.equal(ids.size, 20);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('a host that is started anew is found again, with the same session', async (t) => {
  const { host, fake, child, next } = await openLegacy(t);
  fake.streams[0].response.write(event({ jsonrpc: '2.0', method: 'notifications/1' }, 's-7'));
  await next();
  await host.close();
  const before = host.requests.length;
  child.stdin.write('{"jsonrpc":"2.0","id":5,"method":"ping"}\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await host.listen();
  assert.equal(JSON.parse(await next()).id, 5);
  const later = () => host.requests.slice(before);
  await host.until(() => later().find((one) => one.method === 'GET'));
  for (const one of later()) {
    assert.equal(one.headers['mcp-session-id'], 'sealed-1');
  }
  assert.equal(later().find(({ method }) => method === 'GET').headers['last-event-id'], 's-7');
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('a stream that breaks before the answer is resumed behind its last event', async (t) => {
  let tries = 0;
  const { host, child, next } = await openLegacy(t, (message, response) => {
    if (message.method !== 'long') return false;
    tries++;
    events(response);
    response.write(event({ jsonrpc: '2.0', method: 'notifications/progress' }, 'c-4'));
    setImmediate(() => response.destroy());
    return true;
  });
  const get = host.answer;
  host.answer = (request, response, raw) => {
    if (request.method === 'GET' && request.headers['last-event-id'] === 'c-4') {
      events(response);
      response.end(event({ jsonrpc: '2.0', id: 8, result: 'resumed' }, 'c-5'));
      return;
    }
    get(request, response, raw);
  };
  child.stdin.write('{"jsonrpc":"2.0","id":8,"method":"long"}\n');
  assert.equal(JSON.parse(await next()).method, 'notifications/progress');
  assert.equal(JSON.parse(await next()).result, 'resumed');
  assert.equal(tries, 1);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('a session that the host knows no more is begun anew', async (t) => {
  let sealed = 'sealed-1';
  let begun = 0;
  const { host, fake, child, next } = await openLegacy(t, (message, response, request) => {
    if (message.method === 'initialize') {
      begun++;
      sendJson(response, 200, { jsonrpc: '2.0', id: message.id,
        result: { protocolVersion: '2025-11-25', capabilities: {} } },
      { 'mcp-session-id': sealed });
    } else if (request.headers['mcp-session-id'] !== sealed) {
      sendJson(response, 404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'gone' } });
    } else return false;
    return true;
  });
  sealed = 'sealed-2';
  child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"a"}\n{"jsonrpc":"2.0","id":2,"method":"b"}\n');
  const answers = [JSON.parse(await next()), JSON.parse(await next())];
  assert.deepEqual(answers.map(({ id, result }) => [id, result.of]).sort(), [[1, 'a'], [2, 'b']]);
  assert.equal(begun, 2);
  await host.until(() => fake.streams.some(({ request }) =>
    request.headers['mcp-session-id'] === 'sealed-2'));

  // One that is gone at once again is an answer to the client, not a circle.
  sealed = 'sealed-3';
  const before = begun;
  const get = host.answer;
  host.answer = (request, response, raw) => {
    if (request.body.includes('"initialize"')) begun++;
    if (request.method === 'POST') {
      sendJson(response, 404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'gone' } });
    } else get(request, response, raw);
  };
  child.stdin.write('{"jsonrpc":"2.0","id":3,"method":"c"}\n');
  const refused = JSON.parse(await next());
  assert.deepEqual([refused.id, /HTTP 404: gone/.test(refused.error.message)], [3, true]);
  assert.equal(begun, before + 1);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('modern: headers from the body, no session', async (t) => {
  const host = await FakeHost.start(t, ({ body }, response) => {
    const message = JSON.parse(body);
    events(response);
    response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params: {} }));
    response.end(event({ jsonrpc: '2.0', id: message.id, result: {} }));
  });
  const child = host.spawn('connect');
  const next = lines(child);
  const ask = async (method, params) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: method, method,
      params: { ...params, _meta: { [REVISION]: '2026-07-28' } } })}\n`);
    assert.equal(JSON.parse(await next()).method, 'notifications/progress');
    assert.equal(JSON.parse(await next()).id, method);
    const { headers } = host.requests.at(-1);
    assert.equal(headers['mcp-protocol-version'], '2026-07-28');
    assert.equal(headers['mcp-method'], method);
    assert.equal(headers['mcp-session-id'], undefined);
    return headers['mcp-name'];
  };
  assert.equal(await ask('server/discover', {}), undefined);
  assert.equal(await ask('tools/call', { name: 'srv__add' }), 'srv__add');
  assert.equal(await ask('resources/read', { uri: 'file:///x' }), 'file:///x');
  assert.equal(await ask('prompts/get', { name: ' é' }),
    `=?base64?${Buffer.from(' é').toString('base64')}?=`);
  assert.equal(await ask('tools/call', { name: 'a\r\nEvil: 1' }),
    `=?base64?${Buffer.from('a\r\nEvil: 1').toString('base64')}?=`);
  child.stdin.end();
  assert.equal(await child.ended, 0);
  assert.ok(host.requests.every(({ method }) => method === 'POST'));
});

test('modern: what a tool wants as headers is taken from its schema', async (t) => {
  const inputSchema = { type: 'object', properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    count: { type: 'integer', 'x-mcp-header': 'Count' }, other: { type: 'string' } } };
  const host = await FakeHost.start(t, ({ body }, response) => {
    const { id, method } = JSON.parse(body);
    sendJson(response, 200, { jsonrpc: '2.0', id, result: method !== 'tools/list' ? {} :
      { tools: [{ name: 'plain', inputSchema: {} }, { name: 'where', inputSchema }] } });
  });
  const child = host.spawn('connect');
  const next = lines(child);
  const meta = { _meta: { [REVISION]: '2026-07-28' } };
  const ask = async (method, params) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, ...meta } })}\n`);
    await next();
    return host.requests.at(-1).headers;
  };
  await ask('tools/list', {});
  const headers = await ask('tools/call', { name: 'where',
    arguments: { region: 'Zürich\r\nX: 1', count: 12, other: 'x' } });
  assert.equal(headers['mcp-param-count'], '12');
  assert.equal(headers['mcp-param-region'],
    `=?base64?${Buffer.from('Zürich\r\nX: 1').toString('base64')}?=`);
  assert.equal(headers['mcp-param-other'], undefined);
  assert.equal((await ask('tools/call', { name: 'plain', arguments: { count: 1 } }))['mcp-param-count'],
    undefined);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('modern: a cancelled request is a closed stream, and only its own', async (t) => {
  let closed = 0;
  const waiting = new Map();
  const host = await FakeHost.start(t, ({ body }, response) => {
    const { id } = JSON.parse(body);
    events(response);
    response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { id } }));
    waiting.set(id, response);
    response.on('close', () => { closed++; });
  });
  const child = host.spawn('connect');
  const next = lines(child);
  for (const id of [1, '1']) {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call',
      params: { name: 'x', _meta: { [REVISION]: '2026-07-28' } } })}\n`);
    assert.equal(JSON.parse(await next()).params.id, id);
  }
  child.stdin.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n');
  await host.until(() => closed === 1);
  waiting.get('1').end(event({ jsonrpc: '2.0', id: '1', result: {} }));
  assert.equal(JSON.parse(await next()).id, '1');
  assert.equal(host.requests.length, 2);
  child.stdin.end();
  assert.equal(await child.ended, 0);
});

test('what is refused becomes an answer, and a sentence for the person', async (t) => {
  const { child, next } = await openLegacy(t, (message, response) => {
    if (message.method === 'sentence') sendJson(response, 403, { error: 'not \u001b[31m yours' });
    else if (message.method === 'rpc') {
      sendJson(response, 400, { jsonrpc: '2.0', id: message.id, error: { code: -32020, message: 'm' } });
    } else if (message.method === 'cut') response.destroy();
    else if (message.method === 'nonsense') sendJson(response, 200, '{"half":');
    else return false;
    return true;
  });
  const ask = async (method) => {
    child.stdin.write(`{"jsonrpc":"2.0","id":"${method}","method":"${method}"}\n`);
    const answer = JSON.parse(await next());
    assert.equal(answer.id, method);
    return answer.error;
  };
  assert.deepEqual(await ask('rpc'), { code: -32020, message: 'm' });
  const refused = await ask('sentence');
  assert.equal(refused.code, -32000);
  assert.match(refused.message, /HTTP 403: not/);
  assert.equal((await ask('cut')).code, -32000);
  assert.equal((await ask('nonsense')).code, -32000);
  child.stdin.write('no json\n');
  const parse = JSON.parse(await next());
  assert.deepEqual([parse.id, parse.error.code], [null, -32700]);
  child.stdin.write('{"jsonrpc":"2.0","id":4,"method":7}\n');
  assert.equal(JSON.parse(await next()).error.code, -32600);
  child.stdin.end();
  assert.equal(await child.ended, 0);
  assert.match(child.text.stderr, /cordon connect: .*HTTP 403: not \\x1b\[31m yours/);
  assert.doesNotMatch(child.text.stderr, /\u001b/);
});

test('told to end, it ends its session first', async (t) => {
  const { host, child } = await openLegacy(t);
  child.kill('SIGTERM');
  assert.equal(await child.ended, 0);
  assert.equal(host.requests.at(-1).method, 'DELETE');
});
