// SPDX-License-Identifier: Apache-2.0

// Signing in to remote servers, by a real store that has no network: what it
// asks, what it keeps, what it tells egress, and what it makes of strangers,
// gateways and an egress that are not what they should be.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from '../lib/paths.mjs';
import { ok, refused } from './admin-answers.mjs';
import {
  begin, finish, ISSUER, REDIRECT, remote, SERVER, signIn, timeout, unknown, World,
} from './authorization.mjs';
import { folderOf, key, logins, sql, start, states, told } from './login-store.mjs';
import { Store, tool } from './fake-supervisor.mjs';

const audited = async (store, action) =>
  (await ok(store.ask('GET', '/audit?limit=1000'))).records.filter((one) => one.action === action);

test('signs in: who is asked what, what is kept, what egress is told', async (t) => {
  const folder = folderOf(t);
  const store = await start(t, folder);
  const world = await remote(t, store);
  const offered = await ok(begin(store));
  assert.deepEqual([offered.issuer, offered.resource, offered.scope, offered.registration,
    offered.expires_in], [ISSUER, SERVER, 'mcp:read', 'dynamic', 600]);
  assert.deepEqual(world.asked, [`POST ${SERVER}`,
    'GET https://mcp.example.com/.well-known/oauth-protected-resource/v1/mcp',
    `GET ${ISSUER}/.well-known/oauth-authorization-server`, `POST ${ISSUER}/register`]);
  const asked = Object.fromEntries(new URL(offered.url).searchParams);
  assert.deepEqual([asked.client_id, asked.redirect_uri, asked.resource, asked.scope],
    ['client-one', REDIRECT, SERVER, 'mcp:read']);
  assert.deepEqual(await logins(store), [], 'there is one before there are tokens');

  const row = await ok(finish(store, world.authorize(offered.url)), 201);
  assert.deepEqual([row.tenant, row.server, row.principal, row.issuer, row.resource, row.scope,
    row.state, row.renews], ['local', 'r', undefined, ISSUER, SERVER, 'mcp:read', 'good', true]);
  assert.ok(Math.abs(row.expires - row.set - 3600) <= 1);
  assert.deepEqual(await logins(store), [row]);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  const secret = world.egress.records.findLast(({ type }) => type === 'SERVER').clear[0];
  assert.deepEqual(secret, { name: 'OAUTH_TOKEN', host: 'mcp.example.com', port: 443, kind: 0,
    principal: 0, field: 'authorization', template: 'Bearer {}', value: 'access-token-1' });

  for (const [action, status] of [['login/begin', 200], ['login/finish', 201]]) {
    const [entry] = await audited(store, action);
    assert.deepEqual([entry.detail.status, entry.detail.server, entry.detail.host,
      entry.principal_name], [status, 'r', 'auth.example.com', 'local']);
  }
  await store.stop();

  // Nowhere in what it wrote; the control: the server's URL is.
  const all = Buffer.concat([...readdirSync(folder).map((one) => readFileSync(join(folder, one))),
    Buffer.from(store.log)]);
  assert.ok(all.includes(SERVER));
  for (const one of ['access-token', 'refresh-token', 'code-1', 'client-one', asked.state])
    for (const spelt of [one, Buffer.from(one).toString('base64').slice(0, 10)])
      assert.ok(!all.includes(spelt), `${one} is in the folder or the log`);
});

test('who is asked where, when a server says less, or a person more', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const origin = new URL(SERVER).origin;
  const own = { ...world.metadata(), issuer: origin };
  // No resource metadata: the origin signs people in, as in 2025-03-26.
  world.at = { ...world.honest(), [`POST ${SERVER}`]: () => ({ status: 401 }) };
  const metadata = `${origin}/.well-known/oauth-protected-resource`;
  delete world.at[`GET ${metadata}/v1/mcp`];
  world.at[`GET ${origin}/.well-known/oauth-authorization-server`] = () => ({ body: own });
  const old = await ok(begin(store));
  assert.deepEqual([old.issuer, old.resource, old.scope], [origin, SERVER, '']);
  assert.deepEqual(world.asked.slice(1, 3), [`GET ${metadata}/v1/mcp`, `GET ${metadata}`]);
  await refused(begin(store, { issuer: ISSUER }), 422, /\/issuer: the server 'r' does not name it/);

  // A page for people in the well-known place is no document; OpenID's place.
  world.at = { ...world.honest(),
    [`GET ${ISSUER}/.well-known/oauth-authorization-server`]: () => ({ body: '<html>' }),
    [`GET ${ISSUER}/.well-known/openid-configuration`]: () => ({ body: world.metadata() }) };
  assert.equal((await ok(begin(store))).issuer, ISSUER);

  // Two issuers: the first, or the one that is said; what is said is asked for.
  const b = 'https://b.example.com';
  world.at = { ...world.honest(),
    [`GET ${metadata}/v1/mcp`]: () => ({ body: { resource: SERVER,
      authorization_servers: [ISSUER, b] } }),
    [`GET ${b}/.well-known/oauth-authorization-server`]:
      () => ({ body: { ...world.metadata(), issuer: b } }) };
  assert.equal((await ok(begin(store))).issuer, ISSUER);
  const said = await ok(begin(store, { issuer: b, scope: 'mcp:write' }));
  assert.deepEqual([said.issuer, said.scope], [b, 'mcp:write']);
  await refused(begin(store, { issuer: 'https://c.example.com' }), 422, /does not name it/);

  // A stream that does not end is a server that is there.
  world.at = { ...world.honest(), [`POST ${SERVER}`]: () => timeout };
  assert.equal((await ok(begin(store))).issuer, ISSUER);

  // One that asks for no sign-in at all.
  world.at = { [`POST ${SERVER}`]: () => ({ status: 200, body: '{}' }) };
  await refused(begin(store), 409, /'r' answers 200 without asking for a sign-in/);
  world.at = { [`POST ${SERVER}`]: () => ({ status: 401 }) };
  await refused(begin(store), 502, /authorization server 'https:\/\/mcp.example.com' .* no metadata/);
  world.at = { [`POST ${SERVER}`]: () => unknown };
  await refused(begin(store), 502, /the server itself cannot be asked: there is no such name/);
});

test('clients: registered, given, with a secret, with a document', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const sealed = async (over = {}) => {
    const one = { tenant: 'local', server: 'r', issuer: ISSUER, client: 'given', principal: 0,
      issued: Date.now(), secret: 'a client secret', ...over };
    const { public_key: publicKey } = await ok(store.ask('GET', '/secrets'));
    return execFileSync(join(build, 'tests/unit/store/seal-letter'), ['--client', publicKey,
      one.tenant, one.server, one.issuer, one.client, one.principal, one.issued].map(String),
    { input: one.secret, encoding: 'latin1' }).trim();
  };
  const metadata = (more) => {
    world.at[`GET ${ISSUER}/.well-known/oauth-authorization-server`] =
      () => ({ body: { ...world.metadata(), ...more } });
  };
  delete world.at[`POST ${ISSUER}/register`];
  const id = 'https://client.example.com/cordon.json';
  // Which issuer a client is of, no document of a stranger's may say.
  const asked = world.asked.length;
  for (const more of [{ client_id: 'given' }, { client_id: id }, { client_id: '', issuer: ISSUER },
    { client_id: 'given', issuer: '' }, { client_id: 'given', sealed: await sealed() },
    { issuer: ISSUER, sealed: await sealed() }])
    await refused(begin(store, more), 422, /say "client_id" and "issuer"/);
  assert.equal(world.asked.length, asked, 'somebody was asked');
  const given = await ok(begin(store, { client_id: 'given', issuer: ISSUER }));
  assert.equal(given.registration, 'given');
  assert.equal(new URL(given.url).searchParams.get('client_id'), 'given');

  const document = { client_id: id, issuer: ISSUER };
  await refused(begin(store, document), 422, /\/client_id: (?!a client, and)/);
  metadata({ client_id_metadata_document_supported: true });
  assert.equal((await ok(begin(store, document))).registration, 'document');

  metadata({ registration_endpoint: undefined });
  await refused(begin(store), 422, /lets no client register itself.*127\.0\.0\.1:43210.*--client-id/);

  // A client's secret is for one client of one issuer of one server.
  metadata({ token_endpoint_auth_methods_supported: ['client_secret_basic'] });
  const body = { client_id: 'given', issuer: ISSUER };
  for (const [over, words] of [[{ issuer: 'https://b.example.com' }, /sealed for another/],
    [{ client: 'other' }, /sealed for another/], [{ principal: 1 }, /sealed for another/],
    [{ server: 's' }, /sealed for another/], [{ tenant: 'evil' }, /sealed for another/],
    [{ secret: '' }, /is empty/]])
    await refused(begin(store, { ...body, sealed: await sealed(over) }), 422, words);
  await refused(begin(store, { ...body, sealed: await sealed({ issued: Date.now() - 3_600_000 }) }),
    409, /minutes ago/);
  const offered = await ok(begin(store, { ...body, sealed: await sealed() }));
  world.at[`POST ${ISSUER}/token`] = (ask) => {
    const basic = Buffer.from(ask.headers.authorization.replace('Basic ', ''), 'base64');
    assert.deepEqual(String(basic).split(':').map(decodeURIComponent), ['given', 'a client secret']);
    assert.doesNotMatch(ask.body, /client_secret/);
    return world.token(ask);
  };
  await ok(finish(store, world.authorize(offered.url)), 201);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  const all = Buffer.concat(readdirSync(store.folder)
    .map((one) => readFileSync(join(store.folder, one))));
  assert.ok(!all.includes('a client secret'));
});

test('what strangers answer, and must not', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const resource = 'GET https://mcp.example.com/.well-known/oauth-protected-resource/v1/mcp';
  const issuer = `GET ${ISSUER}/.well-known/oauth-authorization-server`;
  const [register, probe] = [`POST ${ISSUER}/register`, `POST ${SERVER}`];
  const as = (more) => [issuer, () => ({ body: { ...world.metadata(), ...more } })];
  const challenge = (url) => [probe, () => ({ status: 401,
    headers: { 'WWW-Authenticate': `Bearer resource_metadata="${url}"` } })];
  const cases = [
    [challenge('http://169.254.169.254/latest'), /https/],
    [challenge('https://127.0.0.1/metadata'), /127\.0\.0\.1|inside|address/],
    [challenge('https://elsewhere.example.com/none'), /says that its metadata is at/],
    [[probe, () => ({ end: 3, text: 'the name leads inside' })], /the name leads inside/],
    [[resource, () => ({ body: { resource: 'https://other.example.com/',
      authorization_servers: [ISSUER] } })], /resource/],
    [[resource, () => ({ body: { resource: SERVER, authorization_servers: [] } })], /authorization_servers/],
    [[resource, () => ({ body: { resource: SERVER,
      authorization_servers: ['http://auth.example.com'] } })], /authorization_servers/],
    [[resource, () => ({ body: { resource: SERVER,
      authorization_servers: ['https://localhost'] } })], /authorization_servers/],
    [[issuer, () => ({ end: 10, text: 'it is too large' })], /has no metadata/],
    [[issuer, () => unknown], /there is no such name/],
    [as({ issuer: 'https://evil.example.com' }), /issuer/],
    [as({ code_challenge_methods_supported: ['plain'] }), /S256/],
    [as({ code_challenge_methods_supported: undefined }), /code_challenge_methods_supported/],
    [as({ authorization_endpoint: 'calc.exe' }), /authorization_endpoint/],
    [as({ authorization_endpoint: 'javascript:alert(1)' }), /authorization_endpoint/],
    [as({ authorization_endpoint: 'http://auth.example.com/a' }), /authorization_endpoint/],
    [as({ authorization_endpoint: 'https://$(touch${IFS}x).example.com/' }), /authorization_endpoint/],
    [as({ token_endpoint: 'https://10.0.0.1/token' }), /token_endpoint/],
    [as({ registration_endpoint: 'file:///etc/passwd' }), /registration_endpoint/],
    [[register, () => ({ status: 400, body: { error: 'invalid_redirect_uri',
      error_description: 'no \u001b[31mloopback' } })], /answered 400: invalid_redirect_uri \("no [^\u001b]*loopback"\)/],
    [[register, () => ({ status: 201, body: { client_id: 7 } })], /client_id/],
    [[register, () => ({ status: 201, body: 'x'.repeat(60_000) })], /./],
    [[register, () => timeout], /did not answer in time/, 504],
  ];
  for (const [[at, answer], words, status = 502] of cases) {
    world.at = { ...world.honest(), [at]: answer };
    await refused(begin(store), status, words);
  }
  const token = `POST ${ISSUER}/token`;
  for (const [answer, words, status = 502] of [
    [{ status: 400, body: { error: 'invalid_grant', error_description: 'no' } }, /answered 400: invalid_grant \("no"\)/],
    [{ body: { error: 'bad_refresh_token', error_description: 'is used' } },
      /token endpoint of 'https:.*' answered 200: bad_refresh_token \("is used"\)/],
    [{ status: 500, body: 'oops' }, /answered 500/],
    [{ body: { access_token: 'access-token', token_type: 'mac' } }, /token_type/],
    [{ body: { access_token: 'access\r\ntoken: x', token_type: 'Bearer' } }, /access_token/],
    [{ body: { access_token: 'short', token_type: 'Bearer' } }, /access_token/],
    [{ body: { access_token: 'a'.repeat(5000), token_type: 'Bearer' } }, /access_token/],
    [{ body: { token_type: 'Bearer' } }, /access_token/],
    [{ body: 'access-token' }, /./],
    [timeout, /the token endpoint cannot be asked/, 504],
  ]) {
    world.at = { ...world.honest(), [token]: () => answer };
    const { url } = await ok(begin(store));
    await refused(finish(store, world.authorize(url)), status, words);
  }
  assert.deepEqual(await logins(store), []);
  assert.deepEqual(told(world), []);
  assert.doesNotMatch(store.log, /access-token/);
  // The control.
  world.at = world.honest();
  assert.equal((await signIn(store, world)).state, 'good');
});

test('what a gateway asks, and must not', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  for (const [more, status, words] of [
    [{ redirect_uri: 'https://evil.example.com/callback' }, 422, /\/redirect_uri: /],
    [{ redirect_uri: 'http://127.0.0.1.evil.example.com:80/' }, 422, /\/redirect_uri: /],
    [{ redirect_uri: 'http://localhost:4000/' }, 422, /\/redirect_uri: /],
    [{ redirect_uri: 'http://127.0.0.1:4000/?x=1' }, 422, /\/redirect_uri: /],
    [{ redirect_uri: 'javascript:alert(1)' }, 422, /\/redirect_uri: /],
    [{ server: 'nobody' }, 404, /no server 'nobody'/],
    [{ principal: 77 }, 422, /\/principal: .* no token 77/],
    [{ issuer: 'http://auth.example.com' }, 422, /\/issuer: /],
    [{ scope: 'a\nb' }, 422, /\/scope: /],
    [{ resource: 'https://x.example.com' }, 422, /\/resource: there is no such member/],
    [{ sealed: 'AAAA' }, 422, /say "client_id"/],
  ]) await refused(begin(store, more), status, words);
  await ok(store.ask('POST', '/servers', tool('a')), 201);
  await ok(store.ask('POST', '/servers/a/approve'));
  await refused(begin(store, { server: 'a' }), 409, /none that is elsewhere/);
  await ok(store.ask('POST', '/servers', { name: 'q', url: SERVER }), 201);
  await refused(begin(store, { server: 'q' }), 409, /not approved/);
  assert.deepEqual(await logins(store), []);

  // A state is for one call, of one tenant; who answered is looked at first.
  await ok(store.ask('POST', '/tenants', { name: 'evil' }), 201);
  const { token } = await ok(store.ask('POST', '/tokens?tenant=evil',
    { name: 'admin', scopes: ['admin'] }), 201);
  const offer = async () => world.authorize((await ok(begin(store))).url);
  const asked = () => world.asked.filter((one) => one.endsWith('/token')).length;
  let back = await offer();
  await refused(finish(store, back, token), 404, /\/state: the tenant 'evil' has no sign-in/);
  for (const state of ['', 'x', 'x'.repeat(43), back.state.slice(1), `${back.state}x`,
    `${back.state}\u0000`, back.state.toLowerCase(), 'x'.repeat(5000)])
    await refused(finish(store, { ...back, state }), 404, /\/state: /);
  await refused(finish(store, { state: back.state }), 422, /either "code" or "error"/);
  await refused(finish(store, { ...back, error: 'x' }), 422, /either "code" or "error"/);
  assert.equal(asked(), 0);
  await ok(finish(store, back), 201);
  await refused(finish(store, back), 404, /\/state: /);
  back = await offer();
  await refused(finish(store, { ...back, iss: 'https://evil.example.com' }), 422, /\/iss: /);
  await refused(finish(store, back), 404, /\/state: /);
  back = await offer();
  await refused(finish(store, { ...back, iss: undefined }), 422, /\/iss: /);
  back = await offer();
  await refused(finish(store, { state: back.state, iss: ISSUER, error: 'access_denied',
    error_description: 'she said \u001b[2Jno' }), 502, /access_denied \("she said [^\u001b]*no"\)/);
  assert.equal(asked(), 1);
  // Another redirect URI cannot be brought in at the end.
  back = await offer();
  await refused(finish(store, { ...back, redirect_uri: 'http://127.0.0.1:1/' }), 422, /no such member/);
  await ok(finish(store, back), 201);
});

test('floods: the tenant that begins many loses its own oldest', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  await ok(store.ask('POST', '/tenants', { name: 'other' }), 201);
  const { token } = await ok(store.ask('POST', '/tokens?tenant=other',
    { name: 'admin', scopes: ['admin'] }), 201);
  await ok(store.ask('POST', '/servers', { name: 'r', url: SERVER }, token), 201);
  await ok(store.ask('POST', '/servers/r/approve', '', token));
  const others = world.authorize((await ok(begin(store, {}, token))).url);
  const backs = [];
  for (let i = 0; i < 9; i++) backs.push(world.authorize((await ok(begin(store))).url));
  await refused(finish(store, backs[0]), 404, /\/state: /);
  await ok(finish(store, backs[1]), 201);
  await ok(finish(store, backs[8]), 201);
  await ok(finish(store, others, token), 201);

  // Requests that wait for slow ones have room that is not all there is.
  world.at[`POST ${SERVER}`] = () => 'silence';
  const waiting = [begin(store), begin(store), begin(store)];
  await store.until('three probes', () => world.asked.filter((one) =>
    one === `POST ${SERVER}`).length === 13);
  await refused(begin(store), 503, /3 sign-ins are being asked for/);
  const others2 = begin(store, {}, token);
  await store.until('another one', () => world.asked.filter((one) =>
    one === `POST ${SERVER}`).length === 14);
  world.at = world.honest();
  for (const ask of world.egress.asks.slice(-4)) world.hear(ask);
  for (const one of [...waiting, others2]) await ok(one);
});

test('what became of the server while somebody was at the browser', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const asked = () => world.asked.filter((one) => one.endsWith('/token')).length;
  const server = (url = SERVER) => store.ask('POST', '/servers', { name: 'r', url });
  const approve = () => ok(store.ask('POST', '/servers/r/approve'));
  const offer = async () => world.authorize((await ok(begin(store))).url);

  let back = await offer();
  await ok(store.ask('POST', '/servers/r/deny'));
  await refused(finish(store, back), 409, /'r' was changed in the meantime/);
  await approve();
  back = await offer();
  await ok(server('https://evil.example.com/mcp'));
  await approve();
  await refused(finish(store, back), 409, /'r' was changed in the meantime/);
  await ok(server());
  await approve();
  back = await offer();
  await ok(store.ask('DELETE', '/servers/r'), 204);
  await ok(server(), 201);
  await approve();
  await refused(finish(store, back), 409, /'r' was removed in the meantime/);
  assert.equal(asked(), 0, 'a code was sent');

  // The same while the code is exchanged: no row.
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  const changes = [
    [{}, () => ok(store.ask('POST', '/servers/r/deny')), /changed in the meantime/, approve],
    [{ principal: id }, () => ok(store.ask('DELETE', `/tokens/${id}`), 204), /token .* removed/],
    [{}, () => ok(store.ask('DELETE', '/servers/r'), 204), /removed in the meantime/],
  ];
  for (const [more, change, words, then] of changes) {
    const { url } = await ok(begin(store, more));
    world.at[`POST ${ISSUER}/token`] = async (ask) => { await change(); return world.token(ask); };
    await refused(finish(store, world.authorize(url)), 409, words);
    await then?.();
  }
  assert.deepEqual(await logins(store), []);
});

test('one of a principal is its own, and goes with its token', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  await signIn(store, world);
  const own = await signIn(store, world, { principal: id });
  assert.equal(own.principal, id);
  await store.until('both', () => told(world).join() === `0=access-token-1,${id}=access-token-2`);
  // Again: in the place of the one before.
  const again = await signIn(store, world, { principal: id });
  assert.notEqual(again.id, own.id);
  await store.until('the newer', () => told(world).join() === `0=access-token-1,${id}=access-token-3`);
  await ok(store.ask('DELETE', `/tokens/${id}`), 204);
  await store.until('one', () => told(world).join() === '0=access-token-1');
  assert.equal((await logins(store)).length, 1);

  // Another tenant neither sees nor removes it.
  await ok(store.ask('POST', '/tenants', { name: 'other' }), 201);
  const { token } = await ok(store.ask('POST', '/tokens?tenant=other',
    { name: 'admin', scopes: ['admin'] }), 201);
  const [{ id: row }] = await logins(store);
  assert.deepEqual(await logins(store, token), []);
  await refused(store.ask('DELETE', `/logins/${row}`, '', token), 404, /there is no sign-in/);
  for (const path of ['0', 'x', '99', 'finish'])
    await refused(store.ask('DELETE', `/logins/${path}`), 404, /there is no sign-in/);
  await ok(store.ask('DELETE', `/logins/${row}`), 204);
  await store.until('none', () => told(world).length === 0);
  await store.until('its end', () => world.revoked.join() === 'refresh-token-1');
  await refused(store.ask('DELETE', `/logins/${row}`), 404, /there is no sign-in/);

  // It goes with its server; one of the same name later does not find it.
  await signIn(store, world);
  await ok(store.ask('DELETE', '/servers/r'), 204);
  assert.deepEqual(await logins(store), []);
  await ok(store.ask('POST', '/servers', { name: 'r', url: SERVER }), 201);
  await ok(store.ask('POST', '/servers/r/approve'));
  await store.settle();
  assert.deepEqual(told(world), []);
});

test('renewed ahead of its end: each refresh token once, the newest is kept', async (t) => {
  const folder = folderOf(t);
  const store = await start(t, folder);
  const world = await remote(t, store);
  world.expiresIn = 1; // at once, then
  const refresh = () => world.egress.asks.filter(({ body }) => /refresh_token=/.test(body));
  const token = world.token.bind(world);
  world.token = (ask) => {
    world.expiresIn = /refresh_token=/.test(ask.body) ? 3600 : 1;
    return token(ask);
  };
  const row = await signIn(store, world);
  await store.until('the renewed one', () => told(world).join() === '0=access-token-2');
  assert.equal(refresh().length, 1);
  const form = new URLSearchParams(refresh()[0].body);
  assert.deepEqual([form.get('grant_type'), form.get('refresh_token'), form.get('resource'),
    form.get('client_id'), refresh()[0].url],
  ['refresh_token', 'refresh-token-1', SERVER, 'client-one', `${ISSUER}/token`]);
  const [now] = await logins(store);
  assert.deepEqual([now.id, now.state, now.renews], [row.id, 'good', true]);
  assert.ok(now.expires > row.expires + 3000);
  // Durable before egress is told: whoever kills it finds the newer one.
  store.kill();
  await store.stop();
  const next = await start(t, folder);
  const later = new World(next.egress(5));
  later.refreshes = world.refreshes;
  later.n = world.n;
  await next.until('the renewed one', () => told(later).join() === '0=access-token-2');

  // A server rejects it: once, and not again within 30 s.
  later.egress.reject(now.id + 100);
  later.egress.reject(1, 5);
  later.egress.reject(1, 0, 'OTHER');
  later.egress.reject(1);
  later.egress.reject(1);
  await next.until('the next', () => told(later).join() === '0=access-token-3');
  later.egress.reject(1);
  await next.settle();
  assert.deepEqual(later.asked, [`POST ${ISSUER}/token`]);
  assert.deepEqual(await states(next), ['good']);
});

test('one that is refused has ended, and says so; signing in again begins anew', async (t) => {
  const folder = folderOf(t);
  const store = await start(t, folder);
  const world = await remote(t, store);
  await signIn(store, world);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  world.refreshes.clear(); // taken back, or lost between an answer and our commit
  world.egress.reject(1);
  await store.until('its end', () => told(world).join() === '0=');
  const [row] = await logins(store);
  assert.deepEqual([row.state, row.renews], ['refused', false]);
  const [entry] = await audited(store, 'login/renew');
  assert.deepEqual([entry.detail.server, entry.tenant_name], ['r', 'local']);
  assert.match(entry.detail.error, /answered 400: invalid_grant \("used"\)/);
  await store.until('the log', () => /sign-in to the server 'r' \(tenant 'local'\) has ended: its renewal answered 400/.test(store.log));
  world.egress.reject(1);
  await store.stop();
  const next = await start(t, folder);
  const later = new World(next.egress(5));
  await later.egress.snapshot();
  assert.deepEqual(told(later), ['0=']);
  assert.deepEqual(await states(next), ['refused']);
  later.n = 1;
  assert.equal((await signIn(next, later)).state, 'good');
  await next.until('the token', () => told(later).join() === '0=access-token-2');
  assert.equal((await logins(next)).length, 1);
  assert.doesNotMatch(store.log + next.log, /refresh-token|access-token/);
});

test('what cannot be renewed expires; what cannot be renewed now is tried again', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const tokens = world.tokens.bind(world);
  world.tokens = () => ({ ...tokens(), refresh_token: undefined, expires_in: 1 });
  const row = await signIn(store, world);
  assert.deepEqual([row.state, row.renews], ['good', false]);
  await store.until('its end', () => told(world).join() === '0=');
  assert.deepEqual(await states(store), ['expired']);
  assert.equal(world.asked.filter((one) => one.endsWith('/token')).length, 1);

  // Egress ends while it is asked, the authorization server is ill, then well.
  let n = 0;
  world.tokens = () => ({ ...tokens(), expires_in: 3600 });
  await signIn(store, world);
  await store.until('the token', () => told(world).join() === '0=access-token-2');
  world.at[`POST ${ISSUER}/token`] = () => 'silence';
  world.egress.reject(1);
  await store.until('a question', () => world.asked.at(-1) === `POST ${ISSUER}/token` &&
    world.egress.asks.at(-1).body.includes('refresh_token='));
  const next = new World(store.egress(6));
  next.n = 2;
  next.refreshes = world.refreshes;
  next.at[`POST ${ISSUER}/token`] = (ask) => (n++ === 0 ? { status: 503 } : next.token(ask));
  await store.until('another one', () => told(next).join() === '0=access-token-3', 60_000);
  assert.equal(n, 2);
  assert.deepEqual(await states(store), ['good']);
  assert.match(store.log, /cannot be renewed now: egress ended before there was an answer/);
});

test('egress ends in the middle of a sign-in; one begins before it is there', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  world.at[`POST ${ISSUER}/register`] = () => 'silence';
  const begun = begin(store);
  await store.until('a question', () => world.asked.at(-1) === `POST ${ISSUER}/register`);
  const kept = world.authorize((await (async () => {
    world.at = world.honest();
    return ok(begin(store));
  })()).url);
  world.egress.stream.destroy();
  await refused(begun, 502, /egress ended before there was an answer/);
  const waits = begin(store);
  await store.settle();
  const next = new World(store.egress(6));
  next.codes = world.codes;
  assert.equal((await ok(waits)).issuer, ISSUER);
  // Behind what egress must know to allow it.
  assert.deepEqual(next.egress.records.map(({ type }) => type), ['SERVER', 'SNAPSHOT']);
  // Those that wait for their person wait on.
  assert.equal((await ok(finish(store, kept), 201)).state, 'good');
});

test('an egress that says what it may not is told, and not heard', async (t) => {
  const folder = folderOf(t);
  const evil = (body, more) => ({ body: Buffer.isBuffer(body) ? body : Buffer.alloc(body), ...more });
  const told16 = (status, head, body, more = head + body) => {
    const bytes = Buffer.alloc(16 + more, 'x');
    [status, head, body, 0].forEach((one, i) => bytes.writeUInt32LE(one, 4 * i));
    return bytes;
  };
  for (const [type, { body, ...more }] of [
    [78, evil(0)], [78, evil(15)], [78, evil(1 << 20)],
    [78, evil(told16(200, 4, 0))], [78, evil(told16(200, 0, 70_000))],
    [78, evil(told16(1000, 0, 0))], [78, evil(told16(200, 0, 0), { code: 99 })],
    [78, evil(told16(200, 0, 0), { code: -1 })], [78, evil(told16(200, 0xffffffff, 17, 16))],
    [79, evil(71)], [79, evil(Buffer.alloc(72, 'x'))],
    [77, evil(16)], [64, evil(200)], [65, evil(0)], [0xffffffff, evil(0)],
  ]) {
    const store = await start(t, folder);
    await store.ask('POST', '/servers', { name: 'r', url: SERVER });
    await store.ask('POST', '/servers/r/approve');
    const world = new World(store.egress(5));
    await world.egress.snapshot();
    world.at = {};
    world.hear = () => {};
    const begun = begin(store);
    await store.until('a question', () => world.asked.length === 1);
    const { number } = world.egress.asks[0];
    world.egress.say(type, body, { id: number, ...more });
    await store.until('the log', () => /egress says what it may not/.test(store.log));
    await refused(begun, 502, /egress ended before there was an answer/);
    // It is told on, so that nothing it holds outlives what was decided.
    await ok(store.ask('POST', '/servers/r/deny'));
    await store.until('GONE', () => !world.egress.knows['local/r']);
    // And the next one is asked, and heard.
    await ok(store.ask('POST', '/servers/r/approve'));
    const again = begin(store);
    await store.settle();
    const next = new World(store.egress(6));
    assert.equal((await ok(again)).issuer, ISSUER);
    assert.equal(world.asked.length, 1);
    await store.stop();
    assert.equal(next.egress.records.length > 0, true);
  }

  // Answers to what was not asked, and more than one, are nobody's.
  const store = await start(t, folder);
  const world = new World(store.egress(5));
  for (const number of [0, 1, 99, 0xffffffff]) world.egress.tell({ number }, { body: '{}' });
  world.hear = async (ask) => {
    const answer = await world.at[`${ask.method} ${ask.url}`](ask);
    for (let i = 0; i < 3; i++) world.egress.tell(ask, answer);
  };
  assert.equal((await signIn(store, world)).state, 'good');
});

test('a gateway that left hears nothing; what was finished is there', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  world.at[`POST ${ISSUER}/register`] = () => 'silence';
  const left = begin(store);
  await store.until('a question', () => world.asked.at(-1) === `POST ${ISSUER}/register`);
  const kept = world.authorize((await (async () => {
    world.at = world.honest();
    return ok(begin(store));
  })()).url);
  world.at[`POST ${ISSUER}/token`] = () => 'silence';
  const finished = finish(store, kept);
  await store.until('a question', () => world.asked.at(-1) === `POST ${ISSUER}/token`);
  let replies = 0;
  store.replies.forEach((done, id) => store.replies.set(id, () => { replies++; done('late'); }));
  const before = store.nextId;
  store.stream.destroy();
  await Promise.all([left, finished]);
  replies = 0;
  await store.relink();
  world.at = world.honest();
  world.hear(world.egress.asks.find(({ url }) => url.endsWith('/register')));
  world.hear(world.egress.asks.at(-1));
  await store.until('the row', () => told(world).join() === '0=access-token-1');
  await store.settle();
  assert.equal(store.nextId, before + 1);
  assert.equal(replies, 0, 'the next gateway got the answer of another');
  assert.deepEqual((await audited(store, 'login/finish')).map(({ detail }) => detail.status), [201]);
  assert.deepEqual((await audited(store, 'login/begin')).map(({ detail }) => detail.status), [200, 200]);
});

test('rows: another vault key, none, changed ones, another URL', async (t) => {
  const folder = folderOf(t);
  let store = await start(t, folder);
  let world = await remote(t, store);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  await signIn(store, world);
  await signIn(store, world, { principal: id });
  await ok(store.ask('POST', '/servers', { name: 's', url: 'https://mcp.example.com/v1/other' }), 201);
  await ok(store.ask('POST', '/servers/s/approve'));
  await store.stop();
  const good = sql(folder, 'SELECT hex(sealed) FROM logins ORDER BY id').match(/[0-9A-F]{40,}/g);
  assert.equal(good.length, 2);

  const again = async (keys) => {
    store = await start(t, folder, keys);
    world = new World(store.egress(5));
    await world.egress.snapshot();
    return states(store);
  };
  assert.deepEqual(await again(key('two')), ['key_missing', 'key_missing']);
  assert.deepEqual(told(world), ['0=', `${id}=`]);
  assert.match(store.log, /a sign-in to the server 'r' \(tenant 'local'\) was sealed with a vault key/);
  await store.stop();
  assert.deepEqual(await again(null), ['key_missing', 'key_missing']);
  await refused(begin(store), 503, /no vault key/);
  await store.stop();
  // Rotation: both open, then the new one alone does.
  assert.deepEqual(await again(`${key('two')} ${key('one')}`), ['good', 'good']);
  assert.match(store.log, /2 sign-ins are sealed with the new vault key/);
  await store.stop();
  assert.deepEqual(await again(key('two')), ['good', 'good']);
  const both = ['0=access-token-1', `${id}=access-token-2`];
  await store.until('both', () => told(world).join() === both.join());

  // Another URL: not told, and no token goes there; the old one again: it is.
  await ok(store.ask('POST', '/servers', { name: 'r', url: 'https://evil.example.com/' }));
  await ok(store.ask('POST', '/servers/r/approve'));
  await store.until('its record', () => world.egress.records.at(-1).rules?.[0]?.host === 'evil.example.com');
  assert.deepEqual(told(world), [`${id}=`], 'whoever had one of their own gets another\'s');
  assert.deepEqual(await states(store), ['elsewhere', 'elsewhere']);
  await ok(store.ask('POST', '/servers', { name: 'r', url: SERVER }));
  await ok(store.ask('POST', '/servers/r/approve'));
  await store.until('both', () => told(world).join() === both.join());
  await store.stop();

  // Whoever writes into the file moves no token.
  const restore = 'UPDATE logins SET server = 1, url = \'' + SERVER + '\', principal = ' +
    `CASE id WHEN 1 THEN 0 ELSE ${id} END, refused = 0`;
  const [one, two] = sql(folder, 'SELECT hex(sealed) FROM logins ORDER BY id').match(/[0-9A-F]{40,}/g);
  for (const [change, expected] of [
    ['UPDATE logins SET principal = 99 WHERE id = 1', ['damaged', 'good']],
    ['UPDATE logins SET server = 2 WHERE id = 1', ['damaged', 'good']],
    [`UPDATE logins SET url = 'https://evil.example.com/' WHERE id = 1`, ['damaged', 'good']],
    [`UPDATE logins SET sealed = x'${two}' WHERE id = 1`, ['damaged', 'good']],
    [`UPDATE logins SET sealed = x'' WHERE id = 2`, ['good', 'damaged']],
    [`UPDATE logins SET sealed = zeroblob(100000) WHERE id = 2`, ['good', 'damaged']],
  ]) {
    sql(folder, restore, `UPDATE logins SET sealed = x'${one}' WHERE id = 1`,
      `UPDATE logins SET sealed = x'${two}' WHERE id = 2`, change);
    assert.deepEqual(await again(key('two')), expected, change);
    assert.match(store.log, /was changed in the database by another program/);
    const values = world.egress.records.filter(({ type }) => type === 'SERVER')
      .flatMap(({ clear }) => clear).map(({ value }) => value).filter(Boolean);
    assert.deepEqual(values, [expected[0] === 'good' ? 'access-token-1' : 'access-token-2'], change);
    await store.stop();
  }
});

test('whoever is signed in to another URL does not get what is everybody\'s at this one', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  await signIn(store, world, { principal: id });
  await store.until('the token', () => told(world).join() === `${id}=access-token-1`);
  const url = 'https://other.example.com/mcp';
  await ok(store.ask('POST', '/servers', { name: 'r', url }));
  await ok(store.ask('POST', '/servers/r/approve'));
  world.at[`POST ${url}`] = () => ({ status: 401, headers:
    { 'WWW-Authenticate': 'Bearer resource_metadata="https://other.example.com/prm"' } });
  world.at['GET https://other.example.com/prm'] = () =>
    ({ body: { resource: url, authorization_servers: [ISSUER] } });
  await signIn(store, world);
  await store.until('everybody\'s', () => told(world).join() === `${id}=,0=access-token-2`);
  assert.deepEqual(await states(store), ['elsewhere', 'good']);
  await signIn(store, world, { principal: id });
  await store.until('both', () => told(world).join() === `0=access-token-2,${id}=access-token-3`);
  assert.deepEqual(await states(store), ['good', 'good']);
});

test('a secret and a token that would go to the same place exclude each other', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const set = async (more = {}) => {
    const one = { name: 'KEY', host: 'mcp.example.com', port: 443, kind: 'header',
      field: 'authorization', template: 'Bearer {}', ...more };
    const { public_key: publicKey } = await ok(store.ask('GET', '/secrets'));
    const sealed = execFileSync(join(build, 'tests/unit/store/seal-letter'), [publicKey, 'local',
      'r', one.name, one.host, one.port, ['header', 'query', 'basic'].indexOf(one.kind), one.field,
      one.template, 0, Date.now()].map(String), { input: 'user:a-secret-value' }).toString().trim();
    const body = Object.fromEntries(Object.entries({ server: 'r', ...one, sealed })
      .filter(([, value]) => value !== ''));
    return store.ask('POST', '/secrets', body);
  };
  const secret = await ok(set(), 201);
  await refused(begin(store), 409, /the secret 'KEY' goes to the same place/);
  await ok(store.ask('DELETE', `/secrets/${secret.id}`), 204);
  const { url } = await ok(begin(store));
  const other = await ok(set({ kind: 'basic', field: '', template: '' }), 201);
  await refused(finish(store, world.authorize(url)), 409, /the secret 'KEY' goes to the same place/);
  await ok(store.ask('DELETE', `/secrets/${other.id}`), 204);
  await signIn(store, world);
  await refused(set(), 409, /somebody has signed in to the server 'r'.*cordon upstream logout r/);
  await ok(set({ field: 'x-api-key', template: '{}' }), 201);
  await ok(set({ name: 'B', host: 'b.example.com' }), 201);
});

test('a renewed token that finds a full disk is kept until it can be written', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root makes a small disk');
  const folder = folderOf(t);
  const store = await Store.start(t, folder, ['unshare', '--mount', 'sh', '-c',
    'mount -t tmpfs -o size=4m,mode=0755 tmpfs "$0" && exec "$1" "$2" "$0" "$4"', folder], key('one'));
  const disk = (size) => execFileSync('nsenter', ['-t', String(store.helper.pid), '-m',
    'mount', '-o', `remount,size=${size}`, folder]);
  const world = await remote(t, store);
  await signIn(store, world);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  execFileSync('nsenter', ['-t', String(store.helper.pid), '-m', 'sh', '-c',
    `cat /dev/zero > "${folder}/filling" 2>&1 || true`]);
  for (let i = 0, status = 201; status === 201; i++)
    ({ status } = await store.ask('POST', '/tenants', { name: `tenant-${i}` }));
  // More than what was refused: its row grows.
  const tokens = world.tokens.bind(world);
  world.tokens = () => ({ ...tokens(), access_token: `${'a'.repeat(4000)}-2` });
  const asked = () => world.egress.asks.filter(({ body }) => /refresh_token=/.test(body)).length;
  world.egress.reject(1);
  await store.until('the log', () => /a renewed token of the server 'r' .* cannot be kept/.test(store.log));
  assert.deepEqual(told(world), ['0=access-token-1'], 'told, but not durable');
  disk('64m');
  await store.until('the new one', () => told(world).join() === `0=${'a'.repeat(4000)}-2`);
  assert.equal(asked(), 1, 'the refresh token was sent twice');
  assert.deepEqual(await states(store), ['good']);
});

test('a stranger that is silent does not keep anybody for ever', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  world.at[`POST ${SERVER}`] = () => 'silence';
  const offered = await ok(begin(store));
  assert.equal(offered.scope, 'mcp:read mcp:write', 'what the document says, without a challenge');
  assert.equal((await ok(finish(store, world.authorize(offered.url)), 201)).state, 'good');
});
