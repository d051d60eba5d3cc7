// SPDX-License-Identifier: Apache-2.0

// /admin, what browsers ask first, certificates and settings that change.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Gateway, head, statusOf } from './fake-gateway.mjs';
import { FRAME, SCOPE } from './fake-store.mjs';

const rpc = (method, params = {}, id = 1) => ({ jsonrpc: '2.0', id, method, params });
const asked = (store) => store.frames.filter(({ type }) => type === FRAME.ADMIN);

let gateway, folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  gateway = await Gateway.start('-v');
});
after(async () => {
  rmSync(folder, { recursive: true });
  assert.equal(await gateway.stop(), 0);
});

// A self-signed certificate and its key in one file.
function pemMake(name) {
  const [key, certificate, both] = ['key', 'crt', 'pem']
    .map((end) => join(folder, `${name}.${end}`));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
  return both;
}

test('the store is asked, and its answer handed on', async () => {
  gateway.store.onAdmin = (frame) => [201, { path: frame.path, body: frame.body.toString() }];
  const answer = await gateway.answer('/admin/tokens?tenant=acme', { method: 'POST',
    headers: { 'content-type': 'application/json' }, body: '{"name":"x"}' });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.deepEqual(answer.json, { path: '/tokens?tenant=acme', body: '{"name":"x"}' });
  const frame = asked(gateway.store).at(-1);
  assert.equal(frame.method, 'POST');
  assert.equal(frame.request, answer.headers['x-request-id']);
});

test('answers find their askers, whatever their order', async () => {
  const waiting = [];
  gateway.store.onAdmin = (frame) => {
    waiting.push(frame);
    if (waiting.length === 8) {
      for (const one of waiting.reverse()) gateway.store.reply(one.id, 200, one.path);
    }
  };
  const paths = Array.from({ length: 8 }, (_, i) => `/audit?after=${i}`);
  const answers = await Promise.all(paths.map((path) => gateway.answer(`/admin${path}`)));
  assert.deepEqual(answers.map(({ json }) => json), paths);
});

test('an answer that does not come is 504, one that comes late is nobody\'s', async () => {
  let late;
  gateway.store.onAdmin = (frame) => { late = frame; };
  assert.equal((await gateway.answer('/admin/tenants')).status, 504);
  gateway.store.reply(late.id, 200, 'late');
  gateway.store.onAdmin = () => [200, 'now'];
  assert.equal((await gateway.answer('/admin/tenants')).json, 'now');
});

test('more askers than there may be are told to wait, who leaves makes room later', async () => {
  gateway.store.onAdmin = () => undefined;
  const answers = await Promise.all(Array.from({ length: 20 },
    () => gateway.answer('/admin/tokens')));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [...Array(4).fill(503), ...Array(16).fill(504)]);
});

test('a store that dies answers nobody twice', async () => {
  gateway.store.onAdmin = () => { gateway.store.kill(); };
  const answer = await gateway.answer('/admin/tokens');
  assert.equal(answer.status, 503);
  assert.match(answer.json.error, /went away before it answered/);
  (await gateway.connectStore()).usual().snapshot();
  gateway.store.onAdmin = () => [200, 'again'];
  await gateway.until(async () => (await gateway.answer('/admin/tokens')).status === 200);
  assert.equal(asked(gateway.store).length, 1, 'asked a second time by itself');
});

test('a bundle may be long, all else not', async () => {
  gateway.store.onAdmin = (frame) => [200, frame.body.length];
  const body = Buffer.alloc(30 << 20, 'x');
  const answer = await gateway.answer('/admin/servers', { method: 'POST', body });
  assert.equal(answer.json, body.length);
  assert.deepEqual(statusOf(await gateway.raw(head('POST /admin/servers HTTP/1.1',
    `Content-Length: ${(48 << 20) + 1}`))), [413]);
  for (const path of ['/admin/tokens', '/admin/servers/x/approve', '/mcp']) {
    assert.deepEqual(statusOf(await gateway.raw(head(`POST ${path} HTTP/1.1`,
      `Content-Length: ${(4 << 20) + 1}`))), [413], path);
  }
  assert.equal((await gateway.answer(`/admin/tokens?${'x'.repeat(600)}`)).status, 414);
});

test('the admin\'s socket asks for no Host, but for the token', async () => {
  const socketPath = join(gateway.folder, 'admin');
  const at = (path, headers) => gateway.answer(path, { socketPath, headers });
  gateway.store.onAdmin = () => [200, 'yes'];
  assert.equal((await at('/admin/tokens', { host: 'whatever' })).json, 'yes');
  assert.equal((await at('/admin/tokens', { host: 'x', authorization: 'Bearer no' })).status, 401);
  assert.equal((await at('/admin/tokens', { host: 'x', origin: 'https://evil.example' })).status, 403);
  const challenged = await at('/mcp', { host: 'a"b', authorization: '' });
  assert.equal(challenged.headers['www-authenticate'],
    'Bearer resource_metadata="http://localhost/.well-known/oauth-protected-resource/mcp"');
});

test('what runs is told, to others than "local" only their own', async () => {
  const { store } = gateway;
  store.tenant(2, 'acme');
  store.token(2, 'theirs', { tenant: 2, name: 'wily' });
  store.server(13, 'acmes', { tenant: 2 });
  const theirs = { authorization: 'Bearer theirs' };
  await gateway.until(async () => (await gateway.answer('/metrics', { headers: theirs })).status === 200);
  const counted = async () => {
    const { servers } = (await gateway.answer('/admin/runtime')).json;
    const { calls, failures } = servers.find(({ name }) => name === 'tools');
    return { calls, failures };
  };
  const before = await counted();
  await gateway.call('echo');
  await gateway.call('throw');
  assert.deepEqual(await counted(),
    { calls: before.calls + 2, failures: before.failures + 1 }, 'each is counted once');
  const all = (await gateway.answer('/admin/runtime')).json;
  assert.ok(all.requests > 0 && all.cells >= 0 && all.store_here === 1);
  assert.deepEqual(all.tenants.map(({ name }) => name), ['local', 'acme']);
  const tools = all.servers.find(({ name }) => name === 'tools');
  assert.equal(tools.state, 'approved');
  assert.ok(tools.calls >= 2 && tools.cpu_us > 0, JSON.stringify(tools));
  assert.ok(tools.failures >= 1);
  assert.deepEqual([tools.templates, tools.cells, tools.cells_busy], [1, 2, 1]);
  assert.ok(tools.calls_per_s >= 0);
  const own = (await gateway.answer('/admin/runtime', { headers: theirs })).json;
  assert.deepEqual(own.servers.map(({ name }) => name), ['acmes']);
  assert.deepEqual(own.principals.map(({ name }) => name), ['wily']);
  assert.equal(own.requests, undefined);
  const one = (await gateway.answer('/admin/runtime?tenant=acme')).json;
  assert.deepEqual(one.servers.map(({ name }) => name), ['acmes']);
  assert.equal((await gateway.answer('/admin/runtime?tenant=local', { headers: theirs })).status, 404);
  const metrics = (await gateway.answer('/metrics', { headers: theirs })).text;
  assert.ok(!metrics.includes('local') && metrics.includes('server="acmes"'), metrics);
});

test('what servers say is kept, followed, and theirs alone', async () => {
  const lines = (text) => text.trim().split('\n').map((line) => JSON.parse(line));
  await gateway.call('chatter');
  const kept = await gateway.answer('/admin/servers/tools/logs');
  assert.equal(kept.headers['content-type'], 'application/x-ndjson');
  const line = lines(kept.text).at(-1);
  assert.equal(line.level, 'warn');
  assert.equal(line.text, 'line\nfeed \x1b[31m \ufffd');
  assert.match(line.request, /^[0-9a-f]{16}$/);

  const abort = new AbortController();
  const followed = await gateway.fetch('/admin/servers/tools/logs?follow=1', { signal: abort.signal });
  const reader = followed.body.getReader();
  let text = '';
  const more = async (count) => {
    while (text.split('\n').length <= count) {
      text += Buffer.from((await reader.read()).value).toString();
    }
  };
  await more(1);
  const had = lines(text).length;
  await gateway.call('chatter');
  await more(had + 1);
  assert.equal(lines(text).at(-1).text, line.text);
  abort.abort();

  for (let i = 0; i < 600; i++) await gateway.call('chatter');
  const full = (await gateway.answer('/admin/servers/tools/logs')).text;
  assert.ok(full.length <= 65536 && full.length > 60000, `${full.length}`);
  assert.ok(lines(full).every(({ text: said }) => said === line.text));

  const theirs = { authorization: 'Bearer theirs' };
  for (const path of ['/admin/servers/tools/logs', '/admin/servers/tools/logs?tenant=local',
    '/admin/servers/none/logs']) {
    assert.equal((await gateway.answer(path, { headers: theirs })).status, 404, path);
  }
  assert.equal((await gateway.answer('/admin/servers/tools/logs', { method: 'POST' })).status, 405);
});

test('who follows with a token that is revoked follows no more', async () => {
  gateway.store.token(3, 'third');
  const headers = { authorization: 'Bearer third' };
  await gateway.until(async () => (await gateway.answer('/metrics', { headers })).status === 200);
  const followed = await gateway.fetch('/admin/servers/tools/logs?follow=1', { headers });
  gateway.store.token(3, 'third', { gone: 1 });
  await gateway.until(async () => (await gateway.answer('/metrics', { headers })).status === 401);
  await gateway.call('chatter');
  const text = await followed.text();
  const after = (await gateway.answer('/admin/servers/tools/logs')).text;
  assert.ok(!text.includes(after.trim().split('\n').at(-1)));
});

test('a restart is the gateway\'s own', async () => {
  const before = asked(gateway.store).length;
  const answer = await gateway.answer('/admin/servers/tools/restart', { method: 'POST' });
  assert.equal(answer.status, 200);
  assert.equal(asked(gateway.store).length, before);
  assert.equal((await gateway.call('text')).status, 200);
  assert.equal((await gateway.answer('/admin/servers/tools/restart')).status, 405);
});

test('the description of all this is there', async () => {
  const { status, json } = await gateway.answer('/admin/openapi.json');
  assert.equal(status, 200);
  assert.equal(typeof json, 'object');
});

test('pages that may call are told so before they do', async () => {
  const origin = 'https://console.example';
  const ask = (path, headers) => gateway.answer(path, { method: 'OPTIONS', headers: {
    authorization: '', 'access-control-request-method': 'POST', ...headers } });
  for (const path of ['/mcp', '/s/tools/mcp', '/admin/tokens']) {
    const { status, headers } = await ask(path, { origin, 'access-control-request-headers':
      'authorization, mcp-param-city, MCP-Param-A, x-evil, mcp-param-é' });
    assert.equal(status, 204, path);
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.equal(headers.vary, 'Origin');
    assert.match(headers['access-control-allow-methods'], /POST.*DELETE/);
    const allowed = headers['access-control-allow-headers'].toLowerCase().split(', ');
    for (const name of ['authorization', 'content-type', 'mcp-session-id',
      'mcp-protocol-version', 'mcp-method', 'mcp-name', 'last-event-id',
      'mcp-param-city', 'mcp-param-a']) {
      assert.ok(allowed.includes(name), name);
    }
    assert.ok(!allowed.includes('x-evil'));
    assert.ok(headers['access-control-max-age'] > 0);
    assert.equal(headers['access-control-allow-credentials'], undefined);
  }
  for (const evil of ['https://evil.example', 'null', 'https://console.example.evil.example']) {
    const { status, headers } = await ask('/mcp', { origin: evil });
    assert.equal(status, 403, evil);
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
  assert.equal((await ask('/mcp', {})).status, 401, 'no Origin: no preflight');
});

test('and can read whatever they get', async () => {
  const origin = 'http://localhost:3000';
  for (const [path, options] of [['/s/tools/mcp', { method: 'POST', body: JSON.stringify(rpc('ping')),
    headers: { origin, 'content-type': 'application/json' } }],
  ['/s/none/mcp', { headers: { origin } }], ['/s/fetch/page', { headers: { origin } }],
  ['/mcp', { headers: { origin, authorization: '' } }], ['/metrics', { headers: { origin } }]]) {
    const { headers } = await gateway.answer(path, options);
    assert.equal(headers['access-control-allow-origin'], origin, path);
    assert.match(headers['access-control-expose-headers'], /Mcp-Session-Id.*X-Request-Id/);
    assert.match(headers['x-request-id'], /^[0-9a-f]{16}$/, path);
  }
});

test('the metadata of the resource is what is true, for everybody', async () => {
  for (const [path, resource] of [['', ''], ['/mcp', '/mcp'], ['/s/none/mcp?x', '/s/none/mcp']]) {
    const { status, json } = await gateway.answer(`/.well-known/oauth-protected-resource${path}`,
      { headers: { authorization: '' } });
    assert.equal(status, 200);
    assert.equal(json.resource, `http://127.0.0.1:${gateway.port}${resource}`);
    assert.deepEqual(json.bearer_methods_supported, ['header']);
    assert.equal(json.authorization_servers, undefined);
  }
});

test('settings change while it runs', async () => {
  const at = (host) => gateway.answer('/healthz/', { headers: { host } });
  assert.equal((await at('new.example')).status, 403);
  gateway.command('settings 4 new.example https://new.example 60');
  await gateway.until(async () => (await at('new.example')).status === 404);
  assert.equal((await at('tools.example')).status, 403);
  gateway.command('settings 6 tools.example - 60');
  await gateway.until(async () => (await at('tools.example')).status === 404);
  await gateway.until(() => gateway.log.trim().split('\n').at(-1).startsWith('{'));
});

test('secrets are in no log', async () => {
  const hello = await gateway.post('/s/tools/mcp', rpc('initialize',
    { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }));
  const session = hello.headers.get('mcp-session-id');
  await hello.text();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { headers } = await gateway.answer('/s/tools/mcp?token=letmein', { method: 'POST',
    headers: { 'content-type': 'application/json', 'mcp-session-id': session,
      'mcp-protocol-version': '2025-06-18', traceparent },
    body: JSON.stringify(rpc('tools/call', { name: 'echo' })) });
  const id = headers['x-request-id'];
  await gateway.until(() => gateway.log.includes(`"request":"${id}"`));
  const line = JSON.parse(gateway.log.split('\n')
    .find((one) => one.includes(id) && one.includes('POST')));
  assert.equal(line.principal, 'first');
  assert.equal(line.tenant, 'local');
  assert.equal(line.server, 'tools');
  assert.equal(line.status, 200);
  assert.equal(line.traceparent, traceparent);
  assert.equal(typeof line.us, 'number');
  for (const secret of ['letmein', session, session.slice(8, 40)]) {
    assert.ok(!gateway.log.includes(secret), secret);
  }
});

test('metrics are what Prometheus reads', async () => {
  const { text, headers } = await gateway.answer('/metrics');
  assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const families = new Map();
  for (const line of text.trimEnd().split('\n')) {
    const [, what, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (what === 'HELP') {
      assert.ok(!families.has(name), `${name} twice`);
      families.set(name, { help: rest, samples: 0 });
    } else if (what === 'TYPE') {
      assert.match(rest, /^(counter|gauge|histogram)$/);
      families.get(name).type = rest;
    } else {
      const [, sample] = /^([a-z_]+)(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? [\d.]+$/.exec(line) ?? [];
      assert.ok(sample, line);
      const family = families.get(sample) ?? families.get(sample.replace(/_(bucket|sum|count)$/, ''));
      assert.ok(family?.type, `${line} has no family`);
      family.samples++;
    }
  }
  for (const [name, { type, samples }] of families) {
    assert.equal(type === 'counter', name.endsWith('_total'), name);
    assert.ok(samples > 0, name);
  }
  assert.match(text, /cordon_http_responses_total\{code="200"\} \d+/);
  const buckets = [...text.matchAll(/answer_seconds_bucket\{le="(.+?)"\} (\d+)/g)];
  assert.equal(buckets.at(-1)[1], '+Inf');
  assert.ok(buckets.every(([, , n], i) => i === 0 || Number(n) >= Number(buckets[i - 1][2])));
});

test('TLS: a new certificate is for new connections', async () => {
  const first = pemMake('first.example');
  const secure = await Gateway.start('-t', first);
  const open = async (options = {}) => {
    const socket = connectTls({ port: secure.port, host: '127.0.0.1',
      rejectUnauthorized: false, ...options });
    await new Promise((resolve, reject) =>
      socket.on('secureConnect', resolve).on('error', reject));
    return socket;
  };
  const name = (socket) => socket.getPeerCertificate().subject.CN;
  const answers = async (socket) => {
    socket.write(head('GET /readyz HTTP/1.1'));
    return statusOf(await new Promise((resolve) =>
      socket.once('data', (chunk) => resolve(chunk.toString()))))[0];
  };
  try {
    const old = await open();
    assert.equal(name(old), 'first.example');
    assert.equal(await answers(old), 200);
    secure.command(`tls ${pemMake('second.example')}`);
    await secure.until(async () => name(await open()) === 'second.example');
    assert.equal(await answers(old), 200, 'who is inside stays');
    writeFileSync(join(folder, 'broken.pem'), 'no certificate');
    secure.command(`tls ${join(folder, 'broken.pem')}`);
    await secure.until(() => secure.log.includes('the last one stays'));
    assert.equal(name(await open()), 'second.example');
    assert.equal((await open({ maxVersion: 'TLSv1.2' })).getProtocol(), 'TLSv1.2');
    await assert.rejects(open({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
    const metadata = await secure.answer('/.well-known/oauth-protected-resource/mcp');
    assert.equal(metadata.json.resource, `https://127.0.0.1:${secure.port}/mcp`);
    const plain = await secure.raw(head('GET /readyz HTTP/1.1'));
    assert.ok(!plain.includes('HTTP/1.1 200'));
    const flood = await secure.answer('/s/fetch/flood');
    assert.equal(flood.text.length, 32 << 20);
    assert.equal(await secure.stop(), 0, secure.log);
  } finally {
    secure.child.kill('SIGKILL');
  }
});
