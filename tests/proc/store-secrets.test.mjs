// SPDX-License-Identifier: Apache-2.0

// The vault of a real store: what is sent sealed, what is kept sealed, and what
// it says of rows that somebody changed, of keys that are not there, of a kill
// while it seals anew.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from '../lib/paths.mjs';
import { ok, refused } from './admin-answers.mjs';
import { Store, tool } from './fake-supervisor.mjs';

const key = (name) => createHash('sha256').update(name).digest('base64');
const KINDS = ['header', 'query', 'basic'];
const VALUE = 'a-very-secret-value';

function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-vault-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const start = (t, folder, keys = key('one')) => Store.start(t, folder, [], keys);

let lastIssued = 0;

// A body as `cordon secret set` makes it; `sealedFor`: what the letter says of
// it, where that is another.
async function letter(store, secret = {}, sealedFor = {}) {
  const one = { tenant: 'local', server: 'adder', name: 'API_KEY', host: 'api.example.com',
    port: 443, kind: 'header', field: 'authorization', template: 'Bearer {}',
    principal: 0, value: VALUE, ...secret };
  lastIssued = Math.max(lastIssued + 1, Date.now());
  const { tenant, server, name, host, port, kind, field, template, principal, value, publicKey,
    issued } = { publicKey: (await ok(store.ask('GET', '/secrets'))).public_key,
    issued: lastIssued, ...one, ...sealedFor };
  const sealed = execFileSync(join(build, 'tests/unit/store/seal-letter'),
    [publicKey, tenant, server, name, host, port, KINDS.indexOf(kind), field, template,
      principal, issued].map(String), { input: value, encoding: 'latin1' }).trim();
  return { server: one.server, name: one.name, host: one.host, port: one.port, kind: one.kind,
    ...(one.field && { field: one.field }), ...(one.template && { template: one.template }),
    ...(one.principal && { principal: one.principal }), sealed };
}

const set = async (store, secret, sealedFor) =>
  store.ask('POST', '/secrets', await letter(store, secret, sealedFor));

const states = async (store) => Object.fromEntries((await ok(store.ask('GET', '/secrets')))
  .secrets.map((one) => [one.name, one.state]));

async function withServer(t, folder, keys) {
  const store = await start(t, folder, keys);
  await ok(store.ask('POST', '/servers', tool('adder')), 201);
  return store;
}

// No database of Node 20: SQLite's own shell is not there everywhere, Python's
// is.
function sql(folder, ...statements) {
  return execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for one in sys.argv[2:]:
    rows = db.execute(one).fetchall()
db.commit()
print(rows)`, join(folder, 'cordon.db'), ...statements], { encoding: 'utf8' });
}

test('keeps a secret, shows where it goes and never what it is', async (t) => {
  const folder = folderOf(t);
  const store = await withServer(t, folder);
  const made = await ok(set(store), 201);
  assert.equal(made.state, 'good');
  assert.deepEqual([made.name, made.server, made.host, made.port, made.kind, made.field,
    made.template], ['API_KEY', 'adder', 'api.example.com', 443, 'header', 'authorization',
    'Bearer {}']);
  const again = await ok(set(store, { value: 'another-value' }));
  assert.equal(again.id, made.id);
  await ok(set(store, { name: 'Q', kind: 'query', field: 'key', template: '' }), 201);
  await ok(set(store, { name: 'B', host: 'b.example.com', kind: 'basic', field: '', template: '',
    value: 'user:password' }), 201);
  assert.deepEqual(await states(store), { API_KEY: 'good', Q: 'good', B: 'good' });
  const listed = await ok(store.ask('GET', '/secrets'));
  assert.doesNotMatch(JSON.stringify(listed), /secret-value|another-value|password/);

  await ok(store.ask('DELETE', `/secrets/${made.id}`), 204);
  await refused(store.ask('DELETE', `/secrets/${made.id}`), 404, /there is no secret/);
  await refused(store.ask('DELETE', '/secrets/0'), 404, /there is no secret/);
  assert.deepEqual(await states(store), { Q: 'good', B: 'good' });

  const audit = JSON.stringify(await ok(store.ask('GET', '/audit?limit=1000')));
  assert.match(audit, /secret\/set/);
  assert.match(audit, /secret\/remove/);
  assert.match(audit, /"host":"api.example.com"/);
  assert.doesNotMatch(audit, /secret-value|another-value|password/);
  await store.stop();

  // Nowhere in what it wrote, as it is or in base64; the control: its name is.
  const written = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const all = Buffer.concat([...written, Buffer.from(store.log)]);
  assert.ok(all.includes('api.example.com'));
  for (const one of [VALUE, 'another-value', 'user:password', key('one')])
    for (const spelt of [one, Buffer.from(one).toString('base64').slice(0, 10)])
      assert.ok(!all.includes(spelt), `${one} is in the folder or the log`);
  assert.ok(!all.includes(Buffer.from(key('one'), 'base64')), 'the key is in the folder');
});

test('says what cannot be kept', async (t) => {
  const store = await withServer(t);
  const cases = [
    [{ server: 'nobody' }, 404, /has no server 'nobody'/],
    [{ name: '1A' }, 422, /\/name: must be/],
    [{ host: '*.example.com' }, 422, /\/host: .*one host/],
    [{ host: 'api.example.com/v1' }, 422, /\/host: /],
    [{ host: 'localhost' }, 422, /\/host: /],
    [{ host: '169.254.169.254' }, 422, /\/host: /],
    [{ field: 'a b' }, 422, /\/field: is no header/],
    [{ field: 'host' }, 422, /\/field: is a header that HTTP itself needs/],
    [{ field: 'transfer-encoding' }, 422, /\/field: /],
    [{ template: 'Bearer' }, 422, /\/template: must have \{\} once/],
    [{ template: '{}{}' }, 422, /\/template: /],
    [{ template: '{}\r\nx: y' }, 422, /\/template: must be visible/],
    [{ kind: 'query', template: '' , field: '' }, 422, /\/field: is missing/],
    [{ kind: 'query', field: 'q' }, 422, /\/template: is for headers only/],
    [{ kind: 'basic', template: '' }, 422, /\/field: does not belong/],
    [{ principal: 77 }, 422, /\/principal: .* no token 77/],
    [{ value: 'short' }, 422, /fewer than 8 bytes/],
    [{ value: '' }, 422, /fewer than 8 bytes/],
    [{ value: 'a-value\r\nx-y: z' }, 422, /line end/],
    [{ value: 'a-value\0more' }, 422, /control character/],
    [{ value: ' a-value-with-blanks' }, 422, /blank/],
    [{ kind: 'basic', field: '', template: '', value: 'no-colon-here' }, 422, /USER:PASSWORD/],
    [{ kind: 'basic', field: '', template: '', value: 'username:pass' }, 422, /fewer than 8/],
  ];
  for (const [secret, status, words] of cases) await refused(set(store, secret), status, words);
  const body = await letter(store);
  await refused(store.ask('POST', '/secrets', { ...body, sealed: '!' }), 422, /\/sealed: is no/);
  await refused(store.ask('POST', '/secrets', { ...body, sealed: btoa('x'.repeat(100)) }), 422,
    /\/sealed: is not sealed to this/);
  await refused(store.ask('POST', '/secrets', { ...body, value: 'x' }), 422, /\/value: there is no/);
  // The control.
  await ok(store.ask('POST', '/secrets', body), 201);
  await refused(set(store, { name: 'OTHER' }), 409, /'API_KEY' goes to the same place/);
  await ok(set(store, { name: 'OTHER', host: 'other.example.com' }), 201);
  assert.doesNotMatch(store.log, /secret-value/);
});

test('a gateway between can neither send a secret elsewhere nor bring one back', async (t) => {
  const store = await withServer(t);
  await ok(store.ask('POST', '/servers', tool('other')), 201);
  const { token } = await ok(store.ask('POST', '/tokens',
    { name: 'someone', scopes: ['call'] }), 201);
  assert.ok(token);
  const elsewhere = [{ server: 'other' }, { host: 'evil.example.com' }, { port: 8443 },
    { name: 'B' }, { kind: 'query', field: 'q', template: '' }, { field: 'x-echo' },
    { template: '{}' }, { principal: 2 }];
  for (const one of elsewhere) {
    const original = { tenant: 'local', server: 'adder', name: 'API_KEY',
      host: 'api.example.com', port: 443, kind: 'header', field: 'authorization',
      template: 'Bearer {}', principal: 0 };
    await refused(set(store, one, original), 422, /was sealed for another/);
  }
  await refused(set(store, {}, { tenant: 'evil' }), 422, /the tenant is 'local'/);
  await refused(set(store, {}, { publicKey: Buffer.alloc(32, 9).toString('base64') }), 422,
    /not sealed to this host/);
  // Another tenant's admin, with a server of the same name.
  await ok(store.ask('POST', '/tenants', { name: 'evil' }), 201);
  const evil = await ok(store.ask('POST', '/tokens?tenant=evil',
    { name: 'admin', scopes: ['admin'] }), 201);
  await ok(store.ask('POST', '/servers', tool('adder'), evil.token), 201);
  const stolen = await letter(store);
  await refused(store.ask('POST', '/secrets', stolen, evil.token), 422, /the tenant is 'evil'/);

  const first = await letter(store);
  await ok(store.ask('POST', '/secrets', first), 201);
  await ok(set(store, { value: 'the-newer-value' }));
  await refused(store.ask('POST', '/secrets', first), 409, /not newer/);
  await refused(set(store, { name: 'OLD', host: 'old.example.com' },
    { issued: Date.now() - 3_600_000 }), 409, /minutes ago/);
  await refused(set(store, { name: 'OLD', host: 'old.example.com' },
    { issued: Date.now() + 3_600_000 }), 409, /from now/);
  // Nor is one seen, or removed, by another tenant.
  const seen = await ok(store.ask('GET', '/secrets', '', evil.token));
  assert.deepEqual([seen.tenant, seen.secrets], ['evil', []]);
  await refused(store.ask('DELETE', '/secrets/1', '', evil.token), 404, /there is no secret/);
  assert.equal((await ok(store.ask('GET', '/secrets'))).secrets.length, 1);
});

test('they go with their server, and with the token whose they are', async (t) => {
  const store = await withServer(t);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  await ok(set(store, { principal: id }), 201);
  await ok(set(store), 201);
  assert.equal((await ok(store.ask('GET', '/secrets'))).secrets.length, 2);
  await ok(store.ask('DELETE', `/tokens/${id}`), 204);
  assert.equal((await ok(store.ask('GET', '/secrets'))).secrets.length, 1);
  await ok(store.ask('DELETE', '/servers/adder'), 204);
  assert.equal((await ok(store.ask('GET', '/secrets'))).secrets.length, 0);
  // A server of the same name later does not find them.
  await ok(store.ask('POST', '/servers', tool('adder')), 201);
  assert.equal((await ok(store.ask('GET', '/secrets'))).secrets.length, 0);
});

test('one of one token is not for a link that all share', async (t) => {
  const store = await withServer(t);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  const url = 'https://mcp.example.com/mcp';
  await ok(store.ask('POST', '/servers', { name: 'all', url, share: 'all' }), 201);
  await ok(store.ask('POST', '/servers', { name: 'own', url, share: 'principal' }), 201);
  await refused(set(store, { server: 'all', principal: id }), 409,
    /\/principal: all calls of the server 'all' share one link \(share: all\), which is nobody's: set it for everybody, or add it with another share/);
  await ok(set(store, { server: 'all' }), 201);
  await ok(set(store, { server: 'own', principal: id }), 201);
  await ok(set(store, { principal: id }), 201);
});

test('egress is told them in clear, as they change, of approved servers', async (t) => {
  const folder = folderOf(t);
  const store = await start(t, folder);
  const egress = store.egress(5);
  const last = () => egress.records.findLast(({ type }) => type === 'SERVER')?.clear ?? [];
  const values = () => last().map(({ name, value }) => `${name}=${value}`).join();
  await egress.snapshot();
  await ok(store.ask('POST', '/servers', tool('adder', '1',
    { network: { allowedDomains: ['api.example.com'] } })), 201);
  await ok(set(store), 201);
  assert.equal(egress.records.some(({ type }) => type === 'SERVER'), false, 'in quarantine');
  await ok(store.ask('POST', '/servers/adder/approve'));
  await store.until('the record', () => values() === `API_KEY=${VALUE}`);
  assert.deepEqual(last()[0], { name: 'API_KEY', host: 'api.example.com', port: 443, kind: 0,
    principal: 0, field: 'authorization', template: 'Bearer {}', value: VALUE });
  await ok(set(store, { value: 'another-value' }));
  await store.until('the new value', () => values() === 'API_KEY=another-value');
  const { id } = await ok(set(store, { name: 'B', kind: 'basic', field: '', template: '',
    host: 'b.example.com', value: 'user:password' }), 201);
  await store.until('both', () => values() === 'API_KEY=another-value,B=user:password');
  await ok(store.ask('DELETE', `/secrets/${id}`), 204);
  await store.until('one', () => values() === 'API_KEY=another-value');
  await store.stop();

  // What does not open goes without its value: egress refuses what needs it.
  const wrong = await start(t, folder, key('two'));
  const next = wrong.egress(5);
  await next.snapshot();
  assert.deepEqual(next.records[0].clear.map(({ name, value }) => [name, value]),
    [['API_KEY', '']]);
});

test('with another key, or none, it starts, and says what does not open', async (t) => {
  const folder = folderOf(t);
  const store = await withServer(t, folder);
  await ok(set(store), 201);
  await store.stop();

  const wrong = await start(t, folder, key('two'));
  assert.match(wrong.log, /'API_KEY' of the server 'adder' \(tenant 'local'\) was sealed with a vault key that this host does not have/);
  assert.deepEqual(await states(wrong), { API_KEY: 'key_missing' });
  assert.doesNotMatch(wrong.log, new RegExp(key('two').slice(0, 20)));
  await wrong.stop();

  const none = await start(t, folder, null);
  assert.deepEqual(await states(none), { API_KEY: 'key_missing' });
  const listed = await ok(none.ask('GET', '/secrets'));
  assert.equal(listed.public_key, undefined);
  await refused(set(none, {}, { publicKey: Buffer.alloc(32, 9).toString('base64') }), 503,
    /no vault key/);
  await none.stop();

  const right = await start(t, folder);
  assert.deepEqual(await states(right), { API_KEY: 'good' });
  assert.doesNotMatch(right.log, /API_KEY/);
});

test('a new key seals everything anew, and then the old one is of no use', async (t) => {
  const folder = folderOf(t);
  const store = await withServer(t, folder);
  const before = (await ok(store.ask('GET', '/secrets'))).public_key;
  await ok(set(store), 201);
  await ok(set(store, { name: 'B', host: 'b.example.com' }), 201);
  const old = await letter(store, { name: 'C', host: 'c.example.com' });
  await store.stop();

  const both = await start(t, folder, `${key('two')}\n${key('one')}`);
  assert.match(both.log, /2 secrets are sealed with the new vault key/);
  assert.notEqual((await ok(both.ask('GET', '/secrets'))).public_key, before);
  // What was on its way to the old key still arrives.
  await ok(both.ask('POST', '/secrets', old), 201);
  assert.deepEqual(await states(both), { API_KEY: 'good', B: 'good', C: 'good' });
  await both.stop();
  const again = await start(t, folder, `${key('two')},${key('one')}`);
  assert.doesNotMatch(again.log, /sealed with the new/);
  await again.stop();
  const alone = await start(t, folder, key('two'));
  assert.deepEqual(await states(alone), { API_KEY: 'good', B: 'good', C: 'good' });
});

test('new keys come while it runs, with nothing lost and nothing to start', async (t) => {
  const store = await start(t);
  const egress = store.egress(5);
  const values = () => (egress.records.findLast(({ type }) => type === 'SERVER')?.clear ?? [])
    .map(({ value }) => value).join();
  await ok(store.ask('POST', '/servers', tool('adder', '1',
    { network: { allowedDomains: ['api.example.com'] } })), 201);
  await ok(store.ask('POST', '/servers/adder/approve'));
  await ok(set(store), 201);
  await store.until('it', () => values() === VALUE);
  const before = (await ok(store.ask('GET', '/secrets'))).public_key;

  store.operator(`vault ${key('two')},${key('one')}`);
  await store.until('the sealing', () => /1 secrets are sealed with the new/.test(store.log));
  assert.notEqual((await ok(store.ask('GET', '/secrets'))).public_key, before);
  // Without the old one it opens; with neither it does not, and egress knows.
  store.operator(`vault ${key('two')}`);
  await ok(set(store, { value: 'another-value' }));
  await store.until('the new value', () => values() === 'another-value');
  store.operator(`vault ${key('three')}`);
  await store.until('that it does not open', () => values() === '');
  await store.until('why', () => /'API_KEY' .* does not have/.test(store.log));
  assert.deepEqual(await states(store), { API_KEY: 'key_missing' });
  store.operator(`vault ${key('two')}`);
  await store.until('that it does', () => values() === 'another-value');
});

const changes = [
  ["name = 'API_KEZ'", /'API_KEZ'/],
  ["host = 'evil.example.com'", /'API_KEY'.*requests to evil\.example\.com/],
  ['port = 8443', /'API_KEY'/],
  ['port = 65979', /'API_KEY'/],
  ['kind = 1', /'API_KEY'/],
  ['kind = 99', /'API_KEY'/],
  ["field = 'x-echo'", /'API_KEY'/],
  ["template = '{}'", /'API_KEY'/],
  ['principal = 1', /'API_KEY'/],
  ['server = 2', /'API_KEY' of the server 'other'/],
  ['sealed = zeroblob(60)', /'API_KEY'/],
  ["sealed = x''", /'API_KEY'/],
  ['sealed = zeroblob(100000)', /'API_KEY'/],
  ['sealed = (SELECT sealed FROM secrets WHERE id = 2)', /'API_KEY'/],
  [`host = '${'h'.repeat(300)}'`, /'API_KEY'/],
];

test('a row that somebody changed does not open, and is named', async (t) => {
  const folder = folderOf(t);
  const store = await withServer(t, folder);
  await ok(store.ask('POST', '/servers', tool('other')), 201);
  await ok(set(store), 201);
  await ok(set(store, { name: 'B', host: 'b.example.com' }), 201);
  await store.stop();
  const columns = sql(folder, 'SELECT id, server, name, host, port, kind, field, template, principal, issued, sealed FROM secrets LIMIT 1');
  assert.match(columns, /API_KEY/);
  sql(folder, 'CREATE TABLE keep AS SELECT * FROM secrets');
  for (const [change, words] of changes) {
    sql(folder, `UPDATE secrets SET ${change} WHERE id = 1`);
    const changed = await start(t, folder);
    assert.match(changed.log, words, change);
    assert.match(changed.log, /was changed in the database|does not have/, change);
    const found = await ok(changed.ask('GET', '/secrets'));
    assert.notEqual(found.secrets.find((one) => one.id === 1).state, 'good', change);
    assert.equal(found.secrets.find((one) => one.id === 2).state, 'good', change);
    await changed.stop();
    sql(folder, 'DELETE FROM secrets', 'INSERT INTO secrets SELECT * FROM keep');
  }
  // The control: as it was, it opens.
  const back = await start(t, folder);
  assert.deepEqual(await states(back), { API_KEY: 'good', B: 'good' });
});

test('killed while it seals anew, it has sealed all or nothing', async (t) => {
  const folder = folderOf(t);
  const store = await withServer(t, folder);
  for (let i = 0; i < 30; i++) await ok(set(store, { name: `K${i}`, host: `h${i}.example.com` }), 201);
  await store.stop();
  for (let round = 0; round < 8; round++) {
    const keys = [key(`new ${round}`), ...(round > 0 ? [key(`new ${round - 1}`)] : []), key('one')];
    // The helper ends with its store; how far it came is as it falls.
    const started = Store.start(t, folder, [], keys.join());
    const killed = (async () => {
      const end = Date.now() + round * 4;
      for (;;) {
        const helper = Store.last;
        if (helper?.messages?.[0]?.pid && Date.now() >= end) return helper.kill();
        await new Promise(setImmediate);
      }
    })().catch(() => {});
    await Promise.all([started, killed]).catch(() => {});
    await Store.last.stop();
    const rows = sql(folder, 'SELECT DISTINCT hex(substr(sealed, 1, 8)) FROM secrets');
    assert.equal(rows.match(/[0-9A-F]{16}/g).length, 1, `round ${round}: ${rows}`);
    const all = await start(t, folder, keys.join());
    assert.ok(Object.values(await states(all)).every((one) => one === 'good'));
    await all.stop();
  }
});
