// SPDX-License-Identifier: Apache-2.0

// The store between a supervisor and a gateway that this plays: what it says at
// its start, what an admin may do, what the operator gives.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../lib/paths.mjs';
import { api, holdAgainst, ok, refused } from './admin-answers.mjs';
import { Store, TYPE, hashOf, tool } from './fake-supervisor.mjs';

test('begins with a snapshot: key, tenant and token of the plan', async (t) => {
  const store = await Store.start(t);
  const types = store.frames.map(({ type }) => type);
  assert.deepEqual(types, [TYPE.KEY, TYPE.TENANT, TYPE.TOKEN, TYPE.SNAPSHOT]);
  const [key, tenant, token] = store.frames;
  assert.equal(key.body.length, 32);
  assert.notDeepEqual(key.body, Buffer.alloc(32));
  assert.deepEqual([tenant.id, tenant.name], [1, 'local']);
  assert.deepEqual([token.id, token.tenant, token.scopes, token.name], [1, 1, 7, 'local']);
  assert.deepEqual(token.hash, hashOf(hashOf('letmein')));
  await store.told('the end of what it deploys', (m) => m.type === 'UNDEPLOY' && m.id === 0);
  assert.deepEqual(store.deployed(), []);
  // The same key and nothing new, at the next start.
  await store.stop();
  const next = await Store.start(t, store.folder);
  assert.deepEqual(next.frames.map(({ type }) => type), types);
  assert.deepEqual(next.frames[0].body, key.body);
});

test('what is added is quarantined, and runs when it is approved', async (t) => {
  const store = await Store.start(t);
  const added = await ok(store.ask('POST', '/servers', tool('adder')), 201);
  assert.equal(added.state, 'quarantined');
  assert.equal(added.approved, null);
  assert.deepEqual(store.servers(), { 'local/adder': 'quarantined' });
  assert.deepEqual(store.deployed(), []);

  const approved = await ok(store.ask('POST', '/servers/adder/approve', { digest: added.digest }));
  assert.equal(approved.approved, added.digest);
  const deployed = await store.told('DEPLOY', (m) => m.type === 'DEPLOY');
  assert.equal(deployed.name, 'adder');
  assert.equal(deployed.seals, 15, 'the bundle can change');
  assert.deepEqual(store.servers(), { 'local/adder': 'approved' });

  // Any change, of the bytes or of a limit, takes it out of sight at once.
  for (const change of [tool('adder', 'function run() { return 2 }'),
    tool('adder', undefined, { limits: { cpu_ms: 51 } }),
    tool('adder', undefined, { jit: false })]) {
    const changed = await ok(store.ask('POST', '/servers', change));
    assert.equal(changed.state, 'changed');
    assert.notEqual(changed.digest, added.digest);
    await store.until('UNDEPLOY', () => store.deployed().length === 0);
    await refused(store.ask('POST', '/servers/adder/approve', { digest: added.digest }),
      409, /look at it again/);
    // Exactly what was approved is approved.
    const back = await ok(store.ask('POST', '/servers', tool('adder')));
    assert.equal(back.state, 'approved');
    await store.until('DEPLOY', () => store.deployed().length === 1);
  }

  assert.equal((await ok(store.ask('POST', '/servers/adder/deny'))).state, 'denied');
  await store.until('UNDEPLOY', () => store.deployed().length === 0);
  const still = await ok(store.ask('POST', '/servers', tool('adder', '1')));
  assert.equal(still.state, 'denied');

  await ok(store.ask('DELETE', '/servers/adder'), 204);
  assert.deepEqual(store.servers(), {});
  const again = await ok(store.ask('POST', '/servers', tool('adder')), 201);
  assert.equal(again.state, 'quarantined');
  assert.match(again.note, /last decision on it was 'denied'/);
  assert.notEqual(again.id, added.id);
});

test('a server behind a socket', async (t) => {
  const store = await Store.start(t);
  const body = { name: 'files', kind: 'socket', socket: '/run/files.sock', share: 'session' };
  const added = await ok(store.ask('POST', '/servers', body), 201);
  assert.equal(added.share, 'session');
  await ok(store.ask('POST', '/servers/files/approve'));
  const deployed = await store.told('DEPLOY_SOCKET', (m) => m.type === 'DEPLOY_SOCKET');
  assert.equal(deployed.socket, '/run/files.sock');
  assert.equal((await ok(store.ask('POST', '/servers',
    { ...body, socket: '/run/other.sock' }))).state, 'changed');
});

test('says where a body is wrong', async (t) => {
  const store = await Store.start(t);
  const cases = [
    ['{', 400, /no JSON text .* from byte 1/],
    [Buffer.from('{"name":"a\xff"}', 'latin1'), 400, /no JSON text/],
    ['[]', 422, /the body: must be an object/],
    [{ kind: 'isolate', files: [] }, 422, /\/name: is missing/],
    [{ ...tool('a'), kind: 'vm' }, 422, /\/kind: must be "isolate" or "socket" or "box"/],
    [tool('A'), 422, /\/name: must be/],
    [tool('a', '1', { limits: { cpu_mz: 1 } }), 422, /\/limits\/cpu_mz: there is no such member.*cpu_ms/],
    [tool('a', '1', { 'a/b~': 1 }), 422, /^\/a~1b~0: there is no such member/],
    [tool('a', '1', { limits: { cpu_ms: 0 } }), 422, /\/limits\/cpu_ms: must be an integer from 1/],
    [tool('a', '1', { limits: { cpu_ms: 1.5 } }), 422, /\/limits\/cpu_ms: must be an integer/],
    [tool('a', '1', { limits: { cpu_ms: -1 } }), 422, /\/limits\/cpu_ms: must be an integer/],
    ['{"name":"a","kind":"isolate","pool_max":99999999999999999999,"files":[]}', 422, /\/pool_max/],
    [tool('a', '1', { pool_max: '5' }), 422, /\/pool_max: must be a number/],
    [tool('a', '1', { socket: '/x' }), 422, /\/socket: does not belong/],
    [{ name: 'a', kind: 'socket' }, 422, /\/socket: is missing/],
    [{ name: 'a', kind: 'socket', socket: 'x' }, 422, /no absolute path/],
    [{ name: 'a', kind: 'socket', socket: `/${'x'.repeat(107)}` }, 422, /\/socket: is longer than 107/],
    [{ name: 'a', kind: 'isolate', files: [] }, 422, /\/files: is empty/],
    [{ name: 'a', kind: 'isolate', files: [{ path: '../x', text: '' }] }, 422, /\/files\/0\/path/],
    [{ name: 'a', kind: 'isolate', files: [{ path: 'x' }] }, 422, /\/files\/0: must have either/],
    [{ name: 'a', kind: 'isolate', files: [{ path: 'x', text: '', base64: '' }] }, 422, /either/],
    [{ name: 'a', kind: 'isolate', files: [{ path: 'x', base64: '!' }] }, 422, /not base64/],
    [{ name: 'a', kind: 'isolate', files: [{ path: 'x', text: '' }, { path: 'x', text: '' }] },
      422, /\/files\/1\/path: .* stand only once/],
    ['{"name":"a","name":"b","kind":"isolate","files":[]}', 422, /\/name: it stands twice/],
  ];
  for (const [body, status, words] of cases)
    await refused(store.ask('POST', '/servers', body), status, words);
  // The control: but for its fault, such a body is taken.
  await ok(store.ask('POST', '/servers', { name: 'a', kind: 'isolate', pool_max: 1, reuse: 2,
    jit: true, warmup: false, limits: { cpu_ms: 1 },
    files: [{ path: 'x.js', base64: btoa('run') }, { path: 'y', text: 'ä😀' }] }), 201);
});

test('asks for a token that may administer, and for its own tenant only', async (t) => {
  const store = await Store.start(t);
  await refused(store.ask('GET', '/servers', '', 'nobody'), 401, /not known/);
  await refused(store.ask('GET', '/servers', '', Buffer.alloc(32)), 401, /not known/);
  const weak = await ok(store.ask('POST', '/tokens',
    { name: 'weak', scopes: ['read', 'call'], servers: ['a', 'b'], expires: 100 }), 201);
  assert.match(weak.token, /^cordon_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(weak.servers, ['a', 'b']);
  const known = await store.until('TOKEN', () =>
    store.frames.find((f) => f.type === TYPE.TOKEN && f.name === 'weak'));
  assert.deepEqual(known.hash, hashOf(hashOf(weak.token)));
  assert.equal(known.servers, 'a,b');
  await refused(store.ask('GET', '/servers', '', weak.token), 403, /lacks the scope 'admin'/);

  await ok(store.ask('POST', '/tenants', { name: 'acme', quota: { memory_bytes: 1 << 30 } }), 201);
  const told = await store.told('TENANT', (m) => m.type === 'TENANT' && m.name === 'acme');
  assert.equal(told.memory, 1 << 30);
  const acme = (await ok(store.ask('POST', '/tokens',
    { name: 'boss', scopes: ['admin'], tenant: 'acme' }), 201)).token;
  await ok(store.ask('POST', '/servers', tool('mine'), acme), 201);
  await ok(store.ask('POST', '/servers', tool('mine')), 201);
  await ok(store.ask('POST', '/servers/mine/approve', '', acme));
  assert.deepEqual(store.servers(), { 'acme/mine': 'approved', 'local/mine': 'quarantined' });
  assert.deepEqual((await ok(store.ask('GET', '/servers', '', acme))).servers
    .map((one) => one.tenant), ['acme']);
  assert.equal((await ok(store.ask('GET', '/servers'))).servers.length, 2);

  await refused(store.ask('GET', '/servers?tenant=local', '', acme), 403, /no other/);
  await refused(store.ask('GET', '/servers?tenant=nobody', '', acme), 403, /no other/);
  await refused(store.ask('GET', '/servers?tenant=nobody'), 404, /no tenant/);
  await refused(store.ask('POST', '/tenants', { name: 'x' }, acme), 403, /the tenant 'local'/);
  await refused(store.ask('PATCH', '/tenants/acme', { quota: {} }, acme), 403, /'local'/);
  await refused(store.ask('DELETE', '/tokens/1', '', acme), 404, /no token 1/);
  const socket = { name: 'theirs', kind: 'socket', socket: '/run/x.sock' };
  await refused(store.ask('POST', '/servers', socket, acme), 403, /sockets are the host's/);
  await ok(store.ask('POST', '/servers?tenant=acme', socket), 201);
  await ok(store.ask('POST', '/servers/theirs/approve', '', acme));
  await refused(store.ask('POST', '/servers', { ...socket, socket: '/run/y.sock' }, acme),
    403, /sockets are the host's/);
  await ok(store.ask('DELETE', '/servers/theirs', '', acme), 204);
  await refused(store.ask('POST', '/tokens', { name: 'x', scopes: ['admin'], tenant: 'local' }, acme),
    403, /\/tenant/);
  await refused(store.ask('GET', '/audit/verify', '', acme), 403, /one for all/);
  assert.deepEqual((await ok(store.ask('GET', '/tenants', '', acme))).tenants
    .map(({ name }) => name), ['acme']);
  assert.deepEqual((await ok(store.ask('GET', '/tokens', '', acme))).tokens
    .map(({ name }) => name), ['boss']);
  const tenants = new Set((await ok(store.ask('GET', '/audit', '', acme))).records
    .map(({ tenant }) => tenant));
  assert.deepEqual([...tenants], [2]);

  await refused(store.ask('DELETE', '/tenants/acme'), 409, /1 servers and 1 tokens/);
  await ok(store.ask('DELETE', '/servers/mine?tenant=acme'), 204);
  const { tokens } = await ok(store.ask('GET', '/tokens?tenant=acme'));
  await ok(store.ask('DELETE', `/tokens/${tokens[0].id}`), 204);
  await refused(store.ask('GET', '/servers', '', acme), 401, /not known/);
  await ok(store.ask('DELETE', '/tenants/acme'), 204);
});

test('refuses what would give more than it says', async (t) => {
  const store = await Store.start(t);
  for (const [body, words] of [
    [{ name: 'x', scopes: [] }, /at least one/],
    [{ name: 'x', scopes: ['root'] }, /\/scopes\/0/],
    [{ name: 'x', scopes: ['read'], servers: [] }, /leave it out for all/],
    [{ name: 'x', scopes: ['admin'], servers: ['a'] }, /could make one for all/],
    [{ name: 'x', scopes: ['read'], servers: ['a,b'] }, /\/servers\/0/],
    [{ name: 'x', scopes: ['read'], servers: Array(40).fill('s'.repeat(60)) }, /over 1023 bytes/],
    [{ name: 'x', scopes: ['read'], expires: 0 }, /\/expires/],
    [{ name: 'x\n', scopes: ['read'] }, /control character/],
    [{ name: '', scopes: ['read'] }, /is empty/],
    [{ name: 'x', scopes: ['read'], quota: { memory_bytes: 5 } }, /at least 16 MiB/],
  ])
    await refused(store.ask('POST', '/tokens', body), 422, words);
  await ok(store.ask('POST', '/tokens', { name: 'x', scopes: ['read'] }), 201);
  await refused(store.ask('POST', '/tokens', { name: 'x', scopes: ['read'] }), 409, /already/);
  await refused(store.ask('DELETE', '/tokens/1'), 409, /cordon serve/);
  await refused(store.ask('DELETE', '/tenants/local'), 409, /stays/);
  await refused(store.ask('PUT', '/servers'), 405, /no method PUT/);
  await refused(store.ask('GET', '/nothing'), 404, /openapi/);
  await refused(store.ask('GET', '/servers?x=1'), 400, /no such parameter/);
  await refused(store.ask('GET', '/audit?limit=0'), 400, /from 1/);
  await refused(store.ask('GET', '/servers/none'), 404, /no server 'none'/);
});

test('an expired token is no token', async (t) => {
  const store = await Store.start(t);
  const { token } = await ok(store.ask('POST', '/tokens',
    { name: 'short', scopes: ['admin'], expires: 1 }), 201);
  await ok(store.ask('GET', '/servers', '', token));
  const { expires } = store.frames.findLast((f) => f.type === TYPE.TOKEN);
  // The store's seconds are of the clock that runs a tick behind (time(2)).
  await store.until('its end', () => Date.now() / 1000 > expires + 0.1);
  await refused(store.ask('GET', '/servers', '', token), 401, /expired/);
});

test('keeps everything that is done or refused in the audit, in a chain', async (t) => {
  const store = await Store.start(t);
  await ok(store.ask('POST', '/servers', tool('adder')), 201);
  await refused(store.ask('DELETE', '/servers/none'), 404, /no server/);
  await refused(store.ask('GET', '/servers', '', 'wrong'), 401, /not known/);
  store.audit('tools/call', '{"server":"adder","big":12345678901234567890}');
  const { records, newest } = await ok(store.ask('GET', '/audit'));
  assert.deepEqual(records.map((one) => [one.action, one.principal, one.detail.status]), [
    ['server/add', 1, 201], ['server/remove', 1, 404], ['admin/refused', 0, 401],
    ['tools/call', 1, undefined]]);
  assert.equal(newest, 4);
  assert.equal(records[0].request, 'req-1');
  assert.equal(records[0].detail.name, 'adder');
  assert.match(records[0].detail.digest, /^[0-9a-f]{64}$/);

  // The chain, computed anew from what the API says (doc/openapi.json).
  const number = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
  const field = (text) => [number(Buffer.byteLength(text)), Buffer.from(text)];
  let hash = Buffer.alloc(32);
  for (const one of records.slice(0, 3)) {
    hash = createHash('sha256').update(Buffer.concat([hash, number(one.number),
      number(one.time_ms), number(one.principal), number(one.tenant),
      ...field(one.request), ...field(one.action),
      ...field(JSON.stringify(one.detail))])).digest();
    assert.equal(one.hash, hash.toString('hex'));
  }
  assert.deepEqual((await ok(store.ask('GET', '/audit?after=1&limit=2'))).records
    .map((one) => one.number), [2, 3]);
  assert.deepEqual(await ok(store.ask('GET', '/audit/verify')), { checked: 4, ok: true });
});

test('writes a deed into the book of whoever did it', async (t) => {
  const store = await Store.start(t);
  await ok(store.ask('POST', '/tenants', { name: 'acme' }), 201);
  const { id } = await ok(store.ask('POST', '/tokens?tenant=acme',
    { name: 'a', scopes: ['read'] }), 201);
  store.audit('tools/call', '{}', { principal: id, tenant: 1 });
  const { records } = await ok(store.ask('GET', '/audit?tenant=acme'));
  assert.deepEqual(records.map((one) => [one.action, one.tenant]),
    [['token/add', 2], ['tools/call', 2]]);
  // By name, also when both are long gone.
  const names = async (query) => (await ok(store.ask('GET', `/audit${query}`))).records
    .filter(({ action }) => action === 'tools/call')
    .map((one) => [one.principal_name, one.tenant_name]);
  assert.deepEqual(await names('?tenant=acme'), [['a', 'acme']]);
  await ok(store.ask('DELETE', `/tokens/${id}?tenant=acme`), 204);
  await ok(store.ask('DELETE', '/tenants/acme'), 204);
  assert.deepEqual(await names(''), [['a', 'acme']]);
  assert.equal((await ok(store.ask('GET', '/audit/verify'))).ok, true);
});

test('the operator gives all of a folder, or nothing of it', async (t) => {
  const store = await Store.start(t);
  const folder = mkdtempSync(join(tmpdir(), 'cordon-tool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'tool.js');
  writeFileSync(file, 'function run() { return 1 }');
  const all = [`bundle one ${file}`, `bundle two ${file}`, 'socket three /run/x.sock'];
  assert.equal((await store.commit(...all)).status, 0);
  assert.deepEqual(store.servers(), { 'local/one': 'approved',
    'local/two': 'approved', 'local/three': 'approved' });
  assert.deepEqual(store.deployed(), ['one', 'three', 'two']);
  const { records } = await ok(store.ask('GET', '/audit'));
  assert.deepEqual(records.map(({ detail }) => detail.why),
    Array(3).fill('approved: served from a folder'));

  // The same once more changes nothing.
  const before = store.frames.length;
  assert.equal((await store.commit(...all)).status, 0);
  assert.equal(store.frames.length, before);

  // What an admin denied stays denied, changed or not; what is missing goes.
  await ok(store.ask('POST', '/servers/two/deny'));
  writeFileSync(file, 'function run() { return 2 }');
  assert.equal((await store.commit(...all.slice(0, 2))).status, 0);
  assert.deepEqual(store.servers(), { 'local/one': 'approved', 'local/two': 'denied' });
  await refused(store.ask('DELETE', '/servers/one'), 409, /served from a folder/);
  await refused(store.ask('POST', '/servers', tool('one')), 409, /served from a folder/);

  // A name that an admin took is a conflict: nothing is changed.
  await ok(store.ask('POST', '/servers', tool('mine')), 201);
  const conflict = await store.commit(`bundle mine ${file}`);
  assert.equal(conflict.status, 17);
  assert.match(conflict.text, /'mine' was added with/);
  assert.deepEqual(store.servers(), { 'local/one': 'approved',
    'local/two': 'denied', 'local/mine': 'quarantined' });
  const bad = await store.commit('socket Bad /x');
  assert.equal(bad.status, 22);
  assert.match(bad.text, /its name is not/);
  assert.equal((await store.commit()).status, 0);
  assert.deepEqual(store.servers(), { 'local/mine': 'quarantined' });
});

test('remembers ended sessions until they would have expired', async (t) => {
  const store = await Store.start(t);
  const ended = (byte, until) => {
    const body = Buffer.alloc(24, byte);
    body.writeBigUInt64LE(BigInt(until), 16);
    store.send(TYPE.ENDED, body);
  };
  const later = Math.floor(Date.now() / 1000) + 1000;
  ended(1, later);
  ended(2, later + 1);
  await ok(store.ask('GET', '/servers'));
  await store.stop();
  const next = await Store.start(t, store.folder);
  assert.deepEqual(next.frames.filter(({ type }) => type === TYPE.ENDED)
    .map(({ session, until }) => [session, until]),
  [['01'.repeat(16), later], ['02'.repeat(16), later + 1]]);
});

test('what it answers is what doc/openapi.json describes', () => {
  const def = readFileSync(join(root, 'src/store/admin.def'), 'utf8');
  const code = [...def.matchAll(/^ADMIN_ROUTE\((\w+), "([^"]+)"/gm)]
    .map(([, method, path]) => `${method} /admin${path}`);
  assert.ok(code.length > 10);
  const described = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).filter(([, op]) => op['x-answered-by'] === 'store')
      .map(([method]) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(described.sort(), code.sort());

  // The control: answers that are none are seen.
  const answer = { method: 'GET', path: '/servers?tenant=a', status: 200 };
  holdAgainst({ ...answer, json: { servers: [] } });
  assert.throws(() => holdAgainst({ ...answer, json: { servers: [{}] } }), /required/);
  assert.throws(() => holdAgainst({ ...answer, json: { servers: [], more: 1 } }), /additional/);
  assert.throws(() => holdAgainst({ ...answer, status: 418, json: {} }), /not described/);

  // Whole: what is referred to is there, no operation has another's name.
  const refs = [...JSON.stringify(api).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, at]) => at);
  for (const at of refs)
    assert.ok(at.split('/').reduce((one, part) => one?.[part], api), at);
  const ids = Object.values(api.paths).flatMap((item) => Object.values(item))
    .map(({ operationId }) => operationId).filter(Boolean);
  assert.equal(new Set(ids).size, ids.length);
  for (const [path, item] of Object.entries(api.paths))
    assert.deepEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      (item.parameters ?? []).map((one) => one.name ?? api.components.parameters.server.name), path);
});

test('ends when it is told, with what it was told kept', async (t) => {
  const store = await Store.start(t);
  for (let i = 0; i < 10; i++) store.audit('tools/call');
  await store.settle();
  store.kill('SIGTERM');
  await store.until('its end', () => store.exit);
  assert.deepEqual(store.exit, { exit: 0, signal: 0 });
  const next = await Store.start(t, store.folder);
  assert.equal((await ok(next.ask('GET', '/audit/verify'))).checked, 10);
});
