// SPDX-License-Identifier: Apache-2.0

// Servers that are programs in boxes, as the store keeps them: the launch
// document, who may name what, what the supervisor and the gateway are told.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ok, refused } from './admin-answers.mjs';
import { Store, TYPE } from './fake-supervisor.mjs';

const DIGEST = 'ab'.repeat(32);

const program = (name, more = {}) => ({ name, kind: 'box',
  command: ['node', '/srv/x.js'],
  policy: { filesystem: { allowRead: ['/srv'] }, env: { TOKEN: 'hush' } }, ...more });

const folderOf = (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-box-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test('a program is quarantined, approved, changed as anything else', async (t) => {
  const store = await Store.start(t);
  const added = await ok(store.ask('POST', '/servers', program('files')), 201);
  assert.deepEqual([added.kind, added.state, added.share], ['box', 'quarantined', 'principal']);
  assert.deepEqual(added.command, ['node', '/srv/x.js']);
  assert.deepEqual(added.policy, program('files').policy);
  assert.deepEqual(added.box,
    { start_ms: 30000, idle_s: 300, life_s: 86400, spares: 0, starts_per_minute: 30 });
  assert.equal(added.limits.cpu_ms, undefined);
  assert.deepEqual(store.deployed(), []);

  await ok(store.ask('POST', '/servers/files/approve', { digest: added.digest }));
  const told = await store.told('DEPLOY', (m) => m.type === 'DEPLOY');
  assert.deepEqual([told.name, told.kind, told.seals], ['files', 2, 15]);

  // Whatever it is or may, says its digest.
  const changes = [
    { command: ['node', '/srv/y.js'] }, { cwd: '/srv' }, { command: ['node', '/srv/x.js', ''] },
    { policy: {} }, { policy: { ...program('').policy, limits: { pids: 5 } } },
    { package: { name: 'a', version: '1.0.0', digest: DIGEST } },
    { share: 'all' }, { box: { spares: 1 } }, { box: { idle_s: 7 } }, { limits: { wall_ms: 5 } }];
  const seen = new Set([added.digest]);
  for (const change of changes) {
    const changed = await ok(store.ask('POST', '/servers', program('files', change)));
    assert.equal(changed.state, 'changed', JSON.stringify(change));
    assert.ok(!seen.has(changed.digest));
    seen.add(changed.digest);
    await store.until('UNDEPLOY', () => store.deployed().length === 0);
    assert.equal((await ok(store.ask('POST', '/servers', program('files')))).state, 'approved');
    await store.until('DEPLOY', () => store.deployed().length === 1);
  }

  // Another spelling of the same is the same.
  const respelt = JSON.stringify(program('files')).replace('node', '\\u006eode');
  assert.equal((await ok(store.ask('POST', '/servers', respelt))).state, 'approved');

  // What is said of it is there after a restart, and goes to the supervisor.
  await store.stop();
  const next = await Store.start(t, store.folder);
  await next.told('DEPLOY', (m) => m.type === 'DEPLOY' && m.kind === 2);
  assert.deepEqual((await ok(next.ask('GET', '/servers'))).servers[0].command,
    ['node', '/srv/x.js']);
  await ok(next.ask('DELETE', '/servers/files'), 204);
});

test('says where a program is wrong', async (t) => {
  const store = await Store.start(t);
  const { kind, ...bare } = program('bare');
  assert.equal((await ok(store.ask('POST', '/servers', bare), 201)).kind, kind);
  for (const [more, status, words] of [
    [{ command: [] }, 422, /\/command: is empty/],
    [{ command: ['a', 1] }, 422, /\/command\/1: must be a string/],
    [{ command: ['a\0b'] }, 422, /\/command\/0: .*NUL/],
    [{ cwd: 'x' }, 422, /cwd/],
    [{ command: 'node x' }, 422, /\/command: must be an array/],
    [{ files: [] }, 422, /\/files: does not belong to the kind "box"/],
    [{ reuse: 2 }, 422, /\/reuse: does not belong/],
    [{ policy: { nonsense: 1 } }, 422, /nonsense/],
    [{ policy: { filesystem: { allowRead: ['x'] } } }, 422, /x: must be the whole path/],
    [{ policy: { filesystem: { allowRead: ['/srv/../etc'] } } }, 422, /must be the whole path/],
    [{ policy: { profiles: ['node'] } }, 422, /profiles/],
    [{ package: { name: 'a', version: '1' } }, 422, /\/package\/digest: is missing/],
    [{ package: { name: 'a', version: '1', digest: '../x' } }, 422, /\/package\/digest: .*SHA-256/],
    [{ box: { spare: 1 } }, 422, /\/box\/spare: there is no such member.*spares/],
    [{ box: { spares: 65 } }, 422, /\/box\/spares: must be an integer from 0 to 64/],
    [{ box: { start_ms: 1 } }, 422, /\/box\/start_ms/],
    [{ limits: { memory_bytes: 1 << 30 } }, 422, /\/limits\/memory_bytes: .*\/policy\/limits/],
    [{ kind: 'isolate', files: [] }, 422, /\/command: does not belong to the kind "isolate"/],
    [{ command: ['a', 'x'.repeat(1 << 20)] }, 413, /over 1 MiB/],
  ])
    await refused(store.ask('POST', '/servers', program('bad', more)), status, words);
  assert.deepEqual(store.servers(), { 'local/bare': 'quarantined' });
});

test('only the host names its own paths', async (t) => {
  const store = await Store.start(t);
  await ok(store.ask('POST', '/tenants', { name: 'acme' }), 201);
  const acme = (await ok(store.ask('POST', '/tokens',
    { name: 'boss', scopes: ['admin'], tenant: 'acme' }), 201)).token;
  const own = { command: ['node', 'x.js'], policy: {} };
  for (const more of [
    { policy: { filesystem: { allowRead: ['/etc'] } } },
    { policy: { filesystem: { allowWrite: ['/srv/data'] } } },
    { policy: { filesystem: { allowWriteGuarded: ['/srv'] } } },
    { command: ['/usr/local/bin/x'] },
    { command: ['${package}/../../../bin/x'], package: { name: 'a', version: '1', digest: DIGEST } },
    { command: ['./x'] },
  ])
    await refused(store.ask('POST', '/servers', program('mine', { ...own, ...more }), acme),
      403, /is the host's: an admin of the tenant 'local' may add/);
  await ok(store.ask('POST', '/servers', program('mine', own), acme), 201);
  await ok(store.ask('POST', '/servers', program('packed', { ...own,
    command: ['${package}/bin/x'], package: { name: 'a', version: '1', digest: DIGEST } }),
  acme), 201);
  // The host's admin may, for them.
  await ok(store.ask('POST', '/servers?tenant=acme', program('theirs')), 201);
  await refused(store.ask('POST', '/servers', program('theirs'), acme), 403, /host's/);
});

test('keeps no value of a policy in the audit, nor in the log', async (t) => {
  const store = await Store.start(t);
  const added = await ok(store.ask('POST', '/servers', program('files')), 201);
  await ok(store.ask('POST', '/servers/files/approve'));
  await refused(store.ask('POST', '/servers', program('files', { share: 'none' })), 422, /share/);
  const { records } = await ok(store.ask('GET', '/audit'));
  assert.doesNotMatch(JSON.stringify(records), /hush|x\.js/);
  assert.doesNotMatch(store.log, /hush/);
  assert.deepEqual(records.map(({ detail }) => detail.launch),
    [added.bundle, added.bundle, undefined]);
  // The control: whoever administers sees it.
  assert.match(JSON.stringify(await ok(store.ask('GET', '/servers/files'))), /hush/);
  // A long document stands in no list.
  const long = program('long', { command: ['node', 'x'.repeat(3000)] });
  await ok(store.ask('POST', '/servers', long), 201);
  const { servers } = await ok(store.ask('GET', '/servers'));
  assert.deepEqual(servers.map((one) => [one.name, !!one.command]),
    [['files', true], ['long', false]]);
  assert.equal((await ok(store.ask('GET', '/servers/long'))).command.length, 2);
});

test('what it offered is told with the snapshot, as long as it is the same', async (t) => {
  const store = await Store.start(t);
  const surface = Buffer.from('{"tools":[]}');
  const known = (from) => from.frames.filter(({ type }) => type === TYPE.KNOWN)
    .map(({ id, body }) => [id, String(body)]);
  const { id } = await ok(store.ask('POST', '/servers', program('files')), 201);
  await ok(store.ask('POST', '/servers/files/approve'));
  assert.deepEqual(known(store), []);
  store.send(TYPE.SURFACE, surface, { id });
  await store.settle();
  await store.relink();
  assert.deepEqual(known(store), [[id, String(surface)]]);
  const types = store.frames.map(({ type }) => type);
  assert.ok(types.indexOf(TYPE.SERVER) < types.indexOf(TYPE.KNOWN));
  assert.ok(types.indexOf(TYPE.KNOWN) < types.indexOf(TYPE.SNAPSHOT));

  // Changed: what it offered before is not what it offers. Back: it is.
  store.frames = [];
  await ok(store.ask('POST', '/servers', program('files', { share: 'all' })));
  await ok(store.ask('POST', '/servers/files/approve'));
  assert.deepEqual(known(store), []);
  await ok(store.ask('POST', '/servers', program('files')));
  await ok(store.ask('POST', '/servers/files/approve'));
  assert.deepEqual(known(store), [[id, String(surface)]]);

  // Through a restart of the host; of a denied one nothing is told.
  await store.stop();
  const next = await Store.start(t, store.folder);
  assert.deepEqual(known(next), [[id, String(surface)]]);
  await ok(next.ask('POST', '/servers/files/deny'));
  await next.relink();
  assert.deepEqual(known(next), []);
});

test('what is no launch document any more does not run, and the log says so', async (t) => {
  const folder = folderOf(t);
  const store = await Store.start(t, folder);
  for (const name of ['good', 'bad']) {
    await ok(store.ask('POST', '/servers', program(name, { command: ['node', name] })), 201);
    await ok(store.ask('POST', `/servers/${name}/approve`));
  }
  await store.stop();
  for (const bytes of ['{', '{}', '{"command":["x"],"policy":{"profiles":["node"]}}', '[]']) {
    execFileSync('sqlite3', [join(folder, 'cordon.db'), `UPDATE bundles SET bytes =
      CAST('${bytes}' AS BLOB) WHERE digest = (SELECT bundle FROM servers WHERE name = 'bad')`]);
    const next = await Store.start(t, folder);
    await next.told('the end of what it deploys', (m) => m.type === 'UNDEPLOY' && m.id === 0);
    assert.deepEqual(next.deployed(), ['good'], bytes);
    assert.match(next.log, /the server 'bad' does not run: /);
    // Nor is the API troubled by it.
    assert.equal((await ok(next.ask('GET', '/servers'))).servers.length, 2);
    await ok(next.ask('POST', '/servers/bad/approve'));
    assert.equal(next.servers()['local/bad'], 'changed');
    await next.stop();
  }
});

test('the operator gives programs with the settings', async (t) => {
  const store = await Store.start(t);
  const folder = folderOf(t);
  const file = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const document = JSON.stringify({ command: ['node', 'x.js'], policy: {} });
  assert.equal((await store.commit(`box one ${file('one', document)}`)).status, 0);
  assert.deepEqual(store.servers(), { 'local/one': 'approved' });
  await store.told('DEPLOY', (m) => m.type === 'DEPLOY' && m.kind === 2);
  const { bundle } = await ok(store.ask('GET', '/servers/one'));
  assert.equal(bundle, createHash('sha256').update(document).digest('hex'));
  // The same again changes nothing; what is none is refused as a whole.
  const before = store.frames.length;
  assert.equal((await store.commit(`box one ${join(folder, 'one')}`)).status, 0);
  assert.equal(store.frames.length, before);
  for (const bad of ['{}', 'x', '{"command":[]}', ' '.repeat((1 << 20) + 1)]) {
    const refusal = await store.commit(`box one ${join(folder, 'one')}`, `box two ${file('two', bad)}`);
    assert.equal(refusal.status, 22);
    assert.match(refusal.text, /server 'two': /);
  }
  assert.deepEqual(store.servers(), { 'local/one': 'approved' });
});
