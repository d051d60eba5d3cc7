// SPDX-License-Identifier: Apache-2.0

// Remote servers behind a gateway: the official SDKs over their own HTTP, and
// servers by hand that do what HTTP allows, or what nobody should.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { test } from 'node:test';
import { serveHttp } from '../conformance/http.mjs';
import { root } from '../lib/paths.mjs';
import { END } from './fake-egress.mjs';
import { ORIGIN, answer, event, events, json, legacy, refuse, serve, start, text }
  from './remote.mjs';

const { resolve } = createRequire(join(root, 'tests/conformance/package.json'));
const sdk = (path) => import(pathToFileURL(resolve(`@modelcontextprotocol/sdk/${path}`)));

const said = ({ result, error }) => result?.content?.[0]?.text ?? error?.message;

async function fixture(t, options) {
  const served = await serveHttp(options);
  t.after(() => served.close());
  return served.url.replace(/\/mcp$/, '');
}

test('the official SDK, modern: no session, its head says what its body says', async (t) => {
  const remote = await start(t, await fixture(t, { era: 'modern' }));
  assert.equal(said(await remote.call('test_simple_text')),
    'This is a simple text response for testing.');
  const [call] = remote.of('tools/call');
  assert.equal(call.headers['mcp-protocol-version'], '2026-07-28');
  assert.equal(call.headers['mcp-method'], 'tools/call');
  assert.equal(call.headers['mcp-name'], 'test_simple_text');
  assert.equal(remote.of('initialize').length, 0);
  assert.ok(remote.egress.seen.every(({ method, headers }) =>
    method === 'POST' && headers['mcp-session-id'] === undefined));
  assert.ok(remote.egress.seen.every(({ url }) => url === `${ORIGIN}/mcp`));
});

test('the official SDK, legacy: a session, a stream, and an end', async (t) => {
  const remote = await start(t, await fixture(t, { era: 'legacy' }));
  assert.equal(said(await remote.call('test_simple_text')),
    'This is a simple text response for testing.');
  const [call] = remote.of('tools/call');
  assert.equal(call.headers['mcp-protocol-version'], '2025-11-25');
  assert.match(call.headers['mcp-session-id'], /^[0-9a-f-]{36}$/);
  assert.equal(call.headers['mcp-method'], undefined);
  await remote.gateway.until(() => remote.egress.seen.some(({ method, headers }) =>
    method === 'GET' && headers['mcp-session-id'] === call.headers['mcp-session-id']));
  // It ends with the server: another approval would begin anew.
  remote.gateway.store.server(60, 'r', { kind: 3, url: `${ORIGIN}/other`, digest: 'other' });
  await remote.gateway.until(() => remote.egress.seen.some(({ method, headers }) =>
    method === 'DELETE' && headers['mcp-session-id'] === call.headers['mcp-session-id']));
});

// A modern server's first word to who listens.
function acknowledge(response, { id }) {
  events(response);
  event(response, { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged',
    params: { _meta: { 'io.modelcontextprotocol/subscriptionId': id } } });
}

// The transport of 2024-11-05, by the SDK that still has it.
async function oldServer(t, { endpoint, path = '/messages' } = {}) {
  const { McpServer } = await sdk('server/mcp.js');
  const { SSEServerTransport } = await sdk('server/sse.js');
  const transports = new Map();
  const counts = { streams: 0 };
  const base = await serve(t, async (request, response, body) => {
    const url = new URL(request.url, 'http://localhost');
    if (request.method === 'GET' && url.pathname === '/sse') {
      counts.streams++;
      if (endpoint) {
        events(response);
        event(response, endpoint, { name: 'endpoint' });
        return;
      }
      const server = new McpServer({ name: 'old', version: '1' },
        { capabilities: { logging: {} } });
      server.tool('hello', async (extra) => {
        await extra.sendNotification({ method: 'notifications/progress',
          params: { progressToken: extra._meta?.progressToken ?? 0, progress: 1 } });
        return text('hello from 2024');
      });
      const transport = new SSEServerTransport(path, response);
      transports.set(transport.sessionId, transport);
      await server.connect(transport);
    } else if (request.method === 'POST' && url.pathname === path) {
      await transports.get(url.searchParams.get('sessionId'))
        .handlePostMessage(request, response, body);
    } else {
      response.writeHead(404).end();
    }
  });
  return { base, counts };
}

test('HTTP+SSE, where initialize cannot be POSTed', async (t) => {
  const { base, counts } = await oldServer(t);
  const remote = await start(t, base, { path: '/sse' });
  assert.equal(said(await remote.call('hello')), 'hello from 2024');
  const [call] = remote.of('tools/call');
  assert.match(call.url, /^https:\/\/mcp\.example\.com\/messages\?sessionId=/);
  assert.equal(counts.streams, 1);
  // A link that begins later knows it.
  assert.equal(said(await remote.call('hello', {},
    { headers: { authorization: 'Bearer second' } })), 'hello from 2024');
  assert.equal(remote.of('initialize').length, 3, 'initialize was tried as a POST again');
});

for (const endpoint of ['https://elsewhere.example.com/messages', '//elsewhere.example.com/',
  'http://mcp.example.com/messages', 'https://mcp.example.com:8443/x', 'file:///etc/passwd',
  'javascript:alert(1)', 'https://me@mcp.example.com/']) {
  test(`HTTP+SSE: an endpoint ${endpoint} is not gone to`, async (t) => {
    const { base } = await oldServer(t, { endpoint });
    const remote = await start(t, base, { path: '/sse' });
    assert.match(said(await remote.call('hello')), /endpoint that is of another origin/);
    assert.ok(remote.egress.seen.every(({ url }) => url === `${ORIGIN}/sse`));
  });
}

test('a session that the server forgot is begun anew, and the call is made', async (t) => {
  const sessions = new Set();
  const base = await serve(t, legacy({ sessions,
    call: (_, response, body) => answer(response, body, text('called')) }));
  const remote = await start(t, base);
  assert.equal(said(await remote.call('t')), 'called');
  sessions.clear();
  assert.equal(said(await remote.call('t')), 'called');
  const used = remote.of('tools/call').map(({ headers }) => headers['mcp-session-id']);
  assert.deepEqual(used, ['s-1', 's-1', 's-2']);
  // What was forgotten is not ended.
  assert.ok(!remote.egress.seen.some(({ method }) => method === 'DELETE'));
});

test('a stream that breaks off is asked for again, from its last event on', async (t) => {
  const waiting = [];
  const base = await serve(t, legacy({
    call(_, response, body) {
      waiting.push(body);
      events(response);
      event(response, { jsonrpc: '2.0', method: 'notifications/message',
        params: { level: 'info', data: 'one' } }, { id: 'e-1' });
      response.write('retry: 100\n\n');
      response.write('id: never-told\ndata: {"half', () => response.destroy());
    },
    stream(request, response) {
      if (request.headers['last-event-id'] !== 'e-1') {
        response.writeHead(405).end();
        return;
      }
      events(response);
      event(response, { jsonrpc: '2.0', id: waiting[0].id, result: text('resumed') },
        { id: 'e-2' });
      response.end();
    },
  }));
  const remote = await start(t, base);
  assert.equal(said(await remote.call('t')), 'resumed');
  assert.equal(remote.of('tools/call').length, 1);
});

test('a stream without event ids that breaks off is an error', async (t) => {
  const base = await serve(t, legacy({
    call(_, response) {
      events(response);
      response.write(': nothing\n\n', () => response.destroy());
    },
  }));
  const remote = await start(t, base);
  assert.match(said(await remote.call('t')), /ended before its answer/);
});

test('questions at once reach the client whose call they stand in', async (t) => {
  const asked = new Map();
  const open = [];
  const base = await serve(t, legacy({
    take(request, response, body) {
      if (body.method !== undefined || body.id === undefined) return false;
      asked.get(body.id)(body.result);
      response.writeHead(202).end();
      return true;
    },
    async call(_, response, body) {
      const { who } = body.params.arguments;
      events(response);
      open.push(who);
      while (open.length < 2) await new Promise((go) => { setTimeout(go, 5); });
      const id = `ask-${who}`;
      const answered = new Promise((done) => { asked.set(id, done); });
      event(response, { jsonrpc: '2.0', id, method: 'elicitation/create',
        params: { message: who, requestedSchema: { type: 'object', properties: {} } } });
      const { content } = await answered;
      event(response, { jsonrpc: '2.0', id: body.id, result: text(`${who} got ${content.n}`) });
      response.end();
    },
  }));
  const remote = await start(t, base, { share: 2 });
  const { Client } = await sdk('client/index.js');
  const { StreamableHTTPClientTransport } = await sdk('client/streamableHttp.js');
  const { ElicitRequestSchema } = await sdk('types.js');
  const ask = async (who, token) => {
    const client = new Client({ name: who, version: '1' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => (
      { action: 'accept', content: { n: `${params.message}-for-${who}` } }));
    await client.connect(new StreamableHTTPClientTransport(
      new URL(`http://127.0.0.1:${remote.gateway.port}/s/r/mcp`),
      { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
    t.after(() => client.close());
    return said({ result: await client.callTool({ name: 't', arguments: { who } }) });
  };
  assert.deepEqual(await Promise.all([ask('a', 'letmein'), ask('b', 'second')]),
    ['a got a-for-a', 'b got b-for-b']);
  // One link for all, and one session.
  assert.equal(new Set(remote.of('tools/call')
    .map(({ headers }) => headers['mcp-session-id'])).size, 1);
});

test('who asks is told to egress', async (t) => {
  const base = await serve(t, legacy({
    call: (_, response, body) => answer(response, body, text('called')) }));
  const remote = await start(t, base);
  await remote.call('t');
  await remote.call('t', {}, { headers: { authorization: 'Bearer second' } });
  assert.deepEqual(remote.of('tools/call').map(({ principal }) => principal), [1, 2]);
});

for (const era of ['legacy', 'modern']) {
  test(`a call that is given up is taken back, ${era}`, async (t) => {
    let closed;
    const gone = new Promise((done) => { closed = done; });
    const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} }, ttlMs: 1000, cacheScope: 'public' };
    const call = (_, response) => {
      events(response);
      response.on('close', closed);
    };
    const base = await serve(t, legacy({ call, sessions: era === 'modern' ? { has: () => true }
      : new Set(), take(_, response, body) {
      if (era === 'legacy') return false;
      if (body.method === 'server/discover') answer(response, body, discovered);
      else if (body.method === 'subscriptions/listen') acknowledge(response, body);
      else return false;
      return true;
    } }));
    const remote = await start(t, base, { wallMs: 300 });
    assert.match(said(await remote.call('t')), /timeout/);
    await gone;
    const cancels = remote.of('notifications/cancelled');
    assert.equal(cancels.length, era === 'legacy' ? 1 : 0);
    assert.equal(remote.of('tools/call')[0].cancelled, true);
  });
}

test('a refusal of the probe is an answer; no permission is none', async (t) => {
  for (const [status, words] of [
    [401, /wants a token \(HTTP 401\).*upstream login r'.*--for r --host mcp\.example\.com/],
    [403, /forbids/], [429, /too many requests/], [500, /HTTP 500/], [503, /HTTP 503/]]) {
    const base = await serve(t, (_, response, body) => refuse(response, body, status));
    const remote = await start(t, base);
    assert.match(said(await remote.call('t')), words);
    assert.equal(remote.of('initialize').length, 0, `${status} was evidence`);
  }
  for (const host of ['mcp.example.com:8443', '[2606:4700::6810:84e5]',
    '[2606:4700::6810:84e5]:8443']) {
    const base = await serve(t, (_, response, body) => refuse(response, body, 401));
    const remote = await start(t, base, { origin: `https://${host}` });
    assert.ok(said(await remote.call('t')).includes(`--host ${host}'`), host);
  }
  for (const status of [400, 404, 405, 406, 415, 422]) {
    const base = await serve(t, legacy({
      call: (_, response, body) => answer(response, body, text('called')),
      take(_, response, body) {
        if (body.method !== 'server/discover') return false;
        response.writeHead(status).end('not JSON');
        return true;
      } }));
    const remote = await start(t, base);
    assert.equal(said(await remote.call('t')), 'called', `${status}`);
  }
});

// Who is signed in, by the number of the token.
const signedIn = (principals, inner) => (request, response, body) =>
  principals.has(request.headers['x-principal']) ? inner(request, response, body)
    : response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();

test('who is not signed in hears how, and keeps nobody else from it', async (t) => {
  const principals = new Set(['2']);
  const base = await serve(t, signedIn(principals, legacy({
    call: (request, response, body) => answer(response, body,
      text(`hello ${request.headers['x-principal']}`)) })));
  const remote = await start(t, base);
  const second = { headers: { authorization: 'Bearer second' } };
  for (let i = 0; i < 8; i++)
    assert.match(said(await remote.call('t')), /HTTP 401.*cordon upstream login r'/);
  assert.equal(said(await remote.call('t', {}, second)), 'hello 2');
  for (let i = 0; i < 8; i++) assert.match(said(await remote.call('t')), /HTTP 401/);
  assert.equal(said(await remote.call('t', {}, second)), 'hello 2');
  // They share nothing: whoever signs in begins anew, with a session of its own.
  principals.add('1');
  assert.equal(said(await remote.call('t')), 'hello 1');
  assert.equal(new Set(remote.of('tools/call')
    .map(({ headers }) => headers['mcp-session-id']).filter(Boolean)).size, 2);
});

test('what a sign-in lacks is told, if it can be told', async (t) => {
  const challenge = (words) => ({ 'www-authenticate': `Bearer error="insufficient_scope"${words}` });
  let headers;
  const base = await serve(t, legacy({
    call: (_, response) => response.writeHead(403, headers).end() }));
  const remote = await start(t, base);
  for (const [words, told] of [
    [', scope="files:read files:write"',
      /403\): sign in again with 'cordon upstream login r --scope "files:read files:write"'/],
    ['', /upstream login r --scope SCOPE'/],
    [', scope="$(reboot)"', /upstream login r --scope SCOPE'/],
    [', scope="a\'; reboot"', /upstream login r --scope SCOPE'/],
    [', scope="--issuer https://evil.com"', /upstream login r --scope SCOPE'/],
    [`, scope="${'a'.repeat(200)}"`, /upstream login r --scope SCOPE'/]]) {
    headers = challenge(words);
    assert.match(said(await remote.call('t')), told);
  }
  headers = { 'www-authenticate': ['Basic realm="x"', challenge(', scope="files"')['www-authenticate']] };
  assert.match(said(await remote.call('t')), /--scope "files"/);
  for (headers of [{}, { 'www-authenticate': 'Bearer error="other"' },
    { 'www-authenticate': 'Basic error="insufficient_scope"' }])
    assert.match(said(await remote.call('t')), /forbids it \(HTTP 403\)/);
});

test('a token that is refused for a moment costs no notification', async (t) => {
  const tools = [{ name: 't', inputSchema: { type: 'object' } }];
  let refusals = 2;
  let open;
  const opened = new Promise((done) => { open = done; });
  const base = await serve(t, legacy({ tools,
    call: (_, response, body) => answer(response, body, text('called')),
    stream(_, response) {
      if (refusals-- > 0) {
        response.writeHead(401).end();
        return;
      }
      events(response);
      open(response);
    } }));
  const remote = await start(t, base);
  await remote.call('t');
  const stream = await opened;
  tools.push({ name: 'u', inputSchema: { type: 'object' } });
  event(stream, { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await remote.gateway.until(async () =>
    (await remote.send('tools/list')).result.tools.length === 2);
});

test('a server that is neither says so', async (t) => {
  const base = await serve(t, (_, response) => response.writeHead(404).end());
  const remote = await start(t, base);
  assert.match(said(await remote.call('t')), /HTTP 404 to initialize, and has no event stream/);
});

test('a refusal of egress is told in its words', async (t) => {
  const remote = await start(t, 'http://127.0.0.1:9');
  remote.egress.refuse = () => [END.NO_RULE, 'no rule allows mcp.example.com'];
  assert.match(said(await remote.call('t')),
    /the server cannot be reached: no rule allows mcp\.example\.com/);
});

test('errors of HTTP in a call are the call\'s alone', async (t) => {
  let status = 500;
  const base = await serve(t, legacy({ call(_, response, body) {
    if (status === 200) answer(response, body, text('called'));
    else if (status === 422) refuse(response, {}, 422, 'its own words');
    else if (status === 202) response.writeHead(202).end();
    else response.writeHead(status).end('<html>oops</html>');
  } }));
  const remote = await start(t, base);
  assert.match(said(await remote.call('t')), /HTTP 500/);
  status = 422;
  assert.equal(said(await remote.call('t')), 'its own words');
  status = 202;
  assert.match(said(await remote.call('t')), /HTTP 202 without a response/);
  status = 401;
  assert.match(said(await remote.call('t')), /wants a token/);
  status = 200;
  assert.equal(said(await remote.call('t')), 'called');
  assert.equal(remote.of('initialize').length, 1);
});

test('a redirect is followed within its origin, once, with its method', async (t) => {
  const inner = legacy({ call: (_, response, body) => answer(response, body, text('moved')) });
  let to = '/mcp/';
  const base = await serve(t, (request, response, body) => {
    if (request.url === '/mcp') response.writeHead(307, { location: to }).end();
    else inner(request, response, body);
  });
  const remote = await start(t, base);
  assert.equal(said(await remote.call('t')), 'moved');
  assert.equal(remote.egress.seen.filter(({ url }) => url === `${ORIGIN}/mcp`).length, 1);

  for (const elsewhere of ['https://other.example.com/mcp/', 'http://mcp.example.com/mcp/',
    'http://169.254.169.254/', 'file:///etc/passwd', '/mcp']) {
    to = elsewhere;
    const other = await start(t, base);
    assert.match(said(await other.call('t')), /redirects to another place/, elsewhere);
    assert.ok(other.egress.seen.every(({ url }) => url.startsWith(ORIGIN)));
  }
});

test('what is too long, packed, or no session is refused', async (t) => {
  let how;
  const base = await serve(t, legacy({
    take(_, response, body) {
      if (how !== 'session' || body.method !== 'initialize') return false;
      answer(response, body, { protocolVersion: '2025-06-18', capabilities: {},
        serverInfo: { name: 'x', version: '1' } }, { 'mcp-session-id': 'a b' });
      return true;
    },
    async call(_, response, body) {
      const long = 'x'.repeat(2 << 20);
      if (how === 'packed') {
        json(response, {}, { 'content-encoding': 'gzip' });
      } else if (how === 'body') {
        answer(response, body, text(long));
      } else if (how === 'event') {
        events(response);
        event(response, { jsonrpc: '2.0', id: body.id, result: text(long) });
      } else if (how === 'line') {
        events(response);
        response.write(`data: ${long}${long}`);
      } else {
        answer(response, body, text('called'));
      }
    } }));
  const remote = await start(t, base);
  for (const one of ['body', 'event', 'line']) {
    how = one;
    assert.match(said(await remote.call('t')), /longer than a result may be/, one);
  }
  how = 'packed';
  assert.match(said(await remote.call('t')), /compressed/);
  how = 'fine';
  assert.equal(said(await remote.call('t')), 'called');
  how = 'session';
  const other = await start(t, base);
  assert.match(said(await other.call('t')), /Mcp-Session-Id/);
});

test('long messages go both ways within what either side takes', async (t) => {
  const base = await serve(t, legacy({
    call: (_, response, body) => answer(response, body, text(body.params.arguments.x)) }));
  const remote = await start(t, base);
  const x = 'long '.repeat(190_000);
  assert.equal(said(await remote.call('t', { x })), x);
  assert.ok(remote.egress.mostAhead <= 256 << 10);
});

test('egress that ends takes nothing with it but what was under way', async (t) => {
  let hold = true;
  const base = await serve(t, legacy({ call(_, response, body) {
    if (!hold) answer(response, body, text('called'));
  } }));
  const remote = await start(t, base);
  const lost = remote.call('t');
  await remote.gateway.until(() => remote.of('tools/call').length === 1);
  remote.egress.cut();
  assert.match(said(await lost), /way out has ended/);
  hold = false;
  assert.equal(said(await remote.call('t')), 'called');
});

test('an egress that is not itself is hung up on', async (t) => {
  const base = await serve(t, legacy({ call() {} }));
  const remote = await start(t, base);
  const lost = remote.call('t');
  await remote.gateway.until(() => remote.of('tools/call').length === 1);
  const [stream] = remote.egress.streams;
  const ended = new Promise((done) => { stream.socket.on('close', done); });
  stream.send(Buffer.alloc(80, 0xff));
  assert.match(said(await lost), /way out has ended/);
  await ended;
});

test('more calls than fetches there may be wait for their turn', async (t) => {
  const base = await serve(t, legacy({
    call: (_, response, body) => setTimeout(() =>
      answer(response, body, text(`${body.params.arguments.i}`)), 20) }));
  const remote = await start(t, base);
  await remote.call('t', { i: -1 });
  const calls = Array.from({ length: 80 }, (_, i) => remote.call('t', { i }));
  assert.deepEqual((await Promise.all(calls)).map(said), calls.map((_, i) => `${i}`));
});

test('a changed list is heard of by the stream, and asked for', async (t) => {
  const tools = [{ name: 't', inputSchema: { type: 'object' } }];
  let open;
  const opened = new Promise((done) => { open = done; });
  const base = await serve(t, legacy({ tools,
    call: (_, response, body) => answer(response, body, text('called')),
    stream(_, response) { events(response); open(response); } }));
  const remote = await start(t, base);
  await remote.call('t');
  const stream = await opened;
  tools.push({ name: 'u', inputSchema: { type: 'object' } });
  event(stream, { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await remote.gateway.until(() => remote.of('tools/list').length === 2);
  const names = async () => (await remote.send('tools/list')).result.tools.map(({ name }) => name);
  await remote.gateway.until(async () => (await names()).length === 2);
});

test('what is called after a subscription finds it made, and none is missed between two', async (t) => {
  const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'],
    capabilities: { tools: {}, resources: { subscribe: true } }, ttlMs: 1, cacheScope: 'public' };
  const order = [];
  const base = await serve(t, async (_, response, body) => {
    if (body.method === 'subscriptions/listen') {
      const uris = body.params.notifications.resourceSubscriptions ?? [];
      await new Promise((go) => { setTimeout(go, 100); });
      order.push(`listen ${uris}`);
      acknowledge(response, body);
      response.on('close', () => order.push(`closed ${uris}`));
    } else if (body.method === 'tools/call') {
      order.push('call');
      answer(response, body, { resultType: 'complete', ...text('called') });
    } else {
      answer(response, body, body.method === 'server/discover' ? discovered
        : { resultType: 'complete', tools: [{ name: 't', inputSchema: { type: 'object' } }],
          resources: [{ uri: 'a:b', name: 'n' }], resourceTemplates: [],
          ttlMs: 1, cacheScope: 'public' });
    }
  });
  const remote = await start(t, base);
  const { headers } = await remote.gateway.post('/s/r/mcp', { jsonrpc: '2.0', id: 1,
    method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} } });
  const session = { headers: { 'mcp-session-id': headers.get('mcp-session-id') } };
  await remote.call('t', {}, session);
  await remote.send('resources/subscribe', { uri: 'a:b' }, session);
  await remote.call('t', {}, session);
  assert.deepEqual(order.filter((what) => !what.startsWith('closed')),
    ['listen ', 'call', 'listen a:b', 'call']);
  await remote.gateway.until(() => order.includes('closed '));
  assert.ok(order.indexOf('closed ') > order.indexOf('listen a:b'));
});
