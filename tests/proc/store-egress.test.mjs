// SPDX-License-Identifier: Apache-2.0

// What the store tells egress: of servers that are approved, exactly what was
// approved, and what changes as it changes.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ok, refused } from './admin-answers.mjs';
import { Store, tool } from './fake-supervisor.mjs';

const MAY = 1; // WIRE_DEPLOYMENT_EGRESS

const reaches = (...allowedDomains) => ({ network: { allowedDomains } });
const api = ['http://api.example.com:80', 'https://api.example.com:443'];

const last = (store) => store.messages.filter(({ type }) => /^DEPLOY/.test(type)).at(-1);

test('what a server may reach is part of what is approved', async (t) => {
  const store = await Store.start(t);
  const egress = store.egress(5);
  await egress.snapshot();
  assert.deepEqual(egress.knows, {});

  const body = tool('a', '1', reaches('api.example.com'));
  const added = await ok(store.ask('POST', '/servers', body), 201);
  assert.deepEqual(added.network, { allowedDomains: ['api.example.com'] });
  assert.deepEqual(egress.knows, {}, 'one in quarantine reaches something');
  await ok(store.ask('POST', '/servers/a/approve', { digest: added.digest }));
  await store.until('its record', () => egress.knows['local/a']);
  assert.deepEqual(egress.knows, { 'local/a': api });
  await store.until('DEPLOY', () => last(store));
  assert.equal(last(store).flags, MAY);

  // Another rule, less of them, or none: it is not what was approved.
  for (const other of [reaches('api.example.com', 'b.example.com'),
    reaches('*.example.com'), {},
    { network: { allowedDomains: ['api.example.com'], requestsPerMinute: 7 } }]) {
    const changed = await ok(store.ask('POST', '/servers', tool('a', '1', other)));
    assert.equal(changed.state, 'changed', JSON.stringify(other));
    await store.until('GONE', () => !egress.knows['local/a']);
    await store.until('UNDEPLOY', () => store.deployed().length === 0);
    const back = await ok(store.ask('POST', '/servers', body));
    assert.equal(back.state, 'approved');
    assert.equal(back.digest, added.digest);
    await store.until('its record', () => egress.knows['local/a']);
  }

  // The same in other words is the same.
  const same = await ok(store.ask('POST', '/servers',
    tool('a', '1', { network: { deniedDomains: [], allowedDomains: ['api.example.com'] } })));
  assert.equal(same.state, 'approved');

  await ok(store.ask('POST', '/servers/a/deny'));
  await store.until('GONE', () => !egress.knows['local/a']);
  await ok(store.ask('POST', '/servers/a/approve'));
  await store.until('its record', () => egress.knows['local/a']);
  await ok(store.ask('DELETE', '/servers/a'), 204);
  await store.until('GONE', () => !egress.knows['local/a']);
});

test('one that reaches nothing has no way out', async (t) => {
  const store = await Store.start(t);
  const egress = store.egress(5);
  await ok(store.ask('POST', '/servers', tool('a')), 201);
  await ok(store.ask('POST', '/servers', tool('b', '1', { network: {} })), 201);
  await ok(store.ask('POST', '/servers',
    tool('c', '1', { network: { deniedDomains: ['x.example'] } })), 201);
  for (const name of ['a', 'b', 'c']) {
    await ok(store.ask('POST', `/servers/${name}/approve`));
    await store.until('DEPLOY', () => last(store)?.name === name);
    assert.equal(last(store).flags, 0, name);
  }
  await egress.snapshot();
  assert.deepEqual(egress.knows, {});
  assert.equal((await ok(store.ask('GET', '/servers/a'))).network, undefined);
});

test('rules that are none are refused with their place', async (t) => {
  const store = await Store.start(t);
  const cases = [
    [reaches('http://user@api.example.com'), /network\/allowedDomains\/0/],
    [reaches('api.example.com', '127.0.0.1:80'), /network\/allowedDomains\/1/],
    [reaches('localhost:80'), /network\/allowedDomains\/0/],
    [reaches('169.254.169.254'), /network\/allowedDomains\/0/],
    [{ network: { allowedDomain: [] } }, /network\/allowedDomain/],
    [{ network: [] }, /network: must be an object/],
    [{ network: { allowAllUnixSockets: true } }, /allowAllUnixSockets: does not belong/],
  ];
  for (const [more, words] of cases)
    await refused(store.ask('POST', '/servers', tool('a', '1', more)), 422, words);
  await refused(store.ask('POST', '/servers',
    { name: 'a', kind: 'socket', socket: '/x', network: {} }), 422, /does not belong/);
});

test('a remote server reaches its URL, and what else was approved', async (t) => {
  const store = await Store.start(t);
  const egress = store.egress(5);
  const at = 'https://mcp.example.com:443/v1/mcp';
  const body = (more) => ({ name: 'r', url: 'https://MCP.example.com/v1/mcp?key=1', ...more });
  const added = await ok(store.ask('POST', '/servers', body()), 201);
  assert.deepEqual([added.kind, added.url, added.state],
    ['remote', 'https://mcp.example.com/v1/mcp?key=1', 'quarantined']);
  assert.deepEqual(egress.knows, {}, 'one in quarantine reaches something');
  await ok(store.ask('POST', '/servers/r/approve', { digest: added.digest }));
  await store.until('its record', () => egress.knows['local/r']);
  assert.deepEqual(egress.knows, { 'local/r': [at] });
  await store.until('DEPLOY', () => last(store)?.name === 'r');
  assert.equal(last(store).flags, MAY);

  for (const other of [{ url: 'https://mcp.example.com/v2' }, { share: 'all' },
    { network: { allowedDomains: ['https://login.example.com'] } }]) {
    assert.equal((await ok(store.ask('POST', '/servers', body(other)))).state, 'changed');
    await store.until('GONE', () => !egress.knows['local/r']);
    assert.equal((await ok(store.ask('POST', '/servers', body()))).state, 'approved');
    await store.until('its record', () => egress.knows['local/r']);
  }

  const wider = await ok(store.ask('POST', '/servers',
    body({ network: { allowedDomains: ['https://login.example.com'] } })));
  assert.deepEqual(wider.network, { allowedDomains: ['https://login.example.com'] });
  await ok(store.ask('POST', '/servers/r/approve', { digest: wider.digest }));
  await store.until('its record', () => egress.knows['local/r']);
  assert.deepEqual(egress.knows, { 'local/r': ['https://login.example.com:443', at] });
});

test('a URL that no remote server can have is refused', async (t) => {
  const store = await Store.start(t);
  for (const [url, words] of [
    ['http://mcp.example.com/', /url: is not https/],
    ['https://me:secret@mcp.example.com/', /url: has a user/],
    ['https://mcp.example.com/#x', /url: has a fragment/],
    ['https://localhost/mcp', /url: names this machine/],
    ['https://169.254.169.254/', /url: .*169\.254/],
    ['https://[::1]/', /url: /],
    ['https://0x7f.1/', /url: /],
    ['https://mcp.example.com/a/../b', /url: /],
    ['file:///etc/passwd', /url: does not begin/],
    ['javascript:alert(1)', /url: does not begin/],
    [`https://mcp.example.com/${'x'.repeat(300)}`, /url: /],
    [`https://mcp.example.com/?${'x'.repeat(1100)}`, /url: is longer/],
  ]) await refused(store.ask('POST', '/servers', { name: 'r', url }), 422, words);
  await refused(store.ask('POST', '/servers',
    { name: 'r', url: 'https://a.example.com/', socket: '/x' }), 422, /does not belong/);
  await refused(store.ask('POST', '/servers',
    { name: 'r', url: 'https://a.example.com/', limits: { cpu_ms: 5 } }), 422, /nothing of it runs/);
  await refused(store.ask('POST', '/servers', { name: 'r', kind: 'remote' }), 422, /url: is missing/);
});

test('a program in a box has its rules in its policy', async (t) => {
  const store = await Store.start(t);
  const egress = store.egress(5);
  const body = { name: 'p', kind: 'box', command: ['true'],
    policy: { network: { allowedDomains: ['tcp://db.example.com:5432'] } } };
  await ok(store.ask('POST', '/servers', body), 201);
  await ok(store.ask('POST', '/servers/p/approve'));
  await store.until('its record', () => egress.knows['local/p']);
  assert.deepEqual(egress.knows, { 'local/p': ['tcp://db.example.com:5432'] });
  assert.equal((await store.told('DEPLOY', ({ name }) => name === 'p')).flags, MAY);
});

test('a new stream hears all, and only what holds', async (t) => {
  const store = await Store.start(t);
  for (let i = 0; i < 40; i++) {
    const rules = Array.from({ length: 100 }, (_, n) => `https://h${n}.of${i}.example.com`);
    await ok(store.ask('POST', '/servers', tool(`s${i}`, '1', reaches(...rules))), 201);
    if (i !== 7) await ok(store.ask('POST', `/servers/s${i}/approve`));
  }
  const first = store.egress(5);
  await first.snapshot();
  assert.equal(Object.keys(first.knows).length, 39);
  assert.equal(first.records.at(-1).type, 'SNAPSHOT');
  assert.equal(first.knows['local/s3'].length, 100);

  // Another one takes its place; the one before is closed.
  const second = store.egress(6);
  await second.snapshot();
  await first.closed;
  assert.deepEqual(second.knows, first.knows);
  await ok(store.ask('POST', '/servers/s3/deny'));
  await store.until('GONE', () => !second.knows['local/s3']);
  assert.ok(first.knows['local/s3'], 'who was replaced is still told');
});

test('egress that does not read costs nobody anything', async (t) => {
  const store = await Store.start(t);
  const egress = store.egress(5);
  await egress.snapshot();
  egress.stream.pause();
  // More than the socket and the buffer take.
  const many = Array.from({ length: 200 }, (_, n) => `https://h${n}.example.com`);
  for (let i = 0; i < 60; i++) {
    await ok(store.ask('POST', '/servers', tool(`s${i}`, '1', reaches(...many))), 201);
    await ok(store.ask('POST', `/servers/s${i}/approve`));
  }
  await ok(store.ask('POST', '/servers/s59/deny'));
  assert.ok(!egress.knows['local/s58']);
  egress.stream.resume();
  await store.until('the last of them', () => egress.knows['local/s58']);
  assert.equal(Object.keys(egress.knows).length, 59);
  // It hears what holds when it reads, not what held once.
  assert.equal(egress.records.filter(({ name }) => name === 's59').length, 0);
});

test('a folder\'s servers have theirs from the settings', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-net-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'a.js');
  writeFileSync(file, 'function run() { return 1 }');
  const store = await Store.start(t);
  const egress = store.egress(5);
  const network = (...hosts) => JSON.stringify(reaches(...hosts));

  assert.equal((await store.commit(`bundle a ${file} ${network('api.example.com')}`)).status, 0);
  await store.until('its record', () => egress.knows['local/a']);
  assert.deepEqual(egress.knows, { 'local/a': api });
  assert.equal((await store.told('DEPLOY', ({ type }) => type === 'DEPLOY')).flags, MAY);
  const before = await ok(store.ask('GET', '/servers/a'));

  // The operator's word is an approval, of new rules as of new bytes.
  assert.equal((await store.commit(`bundle a ${file} ${network('b.example.com')}`)).status, 0);
  await store.until('the new rules', () => /b.example/.test(egress.knows['local/a']));
  const after = await ok(store.ask('GET', '/servers/a'));
  assert.equal(after.state, 'approved');
  assert.notEqual(after.digest, before.digest);

  assert.equal((await store.commit(`bundle a ${file}`)).status, 0);
  await store.until('GONE', () => !egress.knows['local/a']);
  const wrong = await store.commit(`bundle a ${file} ${network('10.0.0.1')}`);
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.text, /server 'a'.*allowedDomains\/0/);
});

test('a folder\'s remote server reaches its URL and its network, also after the store', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-net-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = await Store.start(t, folder);
  const egress = store.egress(5);
  const url = 'https://mcp.example.com/v1';
  const network = (...hosts) => JSON.stringify(reaches(...hosts));
  const both = ['https://login.example.com:443', 'https://mcp.example.com:443/v1'];

  const committed = await store.commit(
    `remote r ${url} ${network('https://login.example.com')}`, `remote bare ${url}`);
  assert.equal(committed.status, 0, committed.text);
  await store.until('its record', () => egress.knows['local/r']);
  assert.deepEqual(egress.knows, { 'local/bare': [both[1]], 'local/r': both });
  for (const name of ['r', 'bare'])
    assert.equal((await store.told('DEPLOY', (m) => m.name === name)).flags, MAY);

  // 256 rules leave no room for its URL; none of it is taken.
  const many = Array.from({ length: 128 }, (_, i) => `h${i}.example.com`);
  const full = await store.commit(`remote r ${url} ${network(...many)}`);
  assert.notEqual(full.status, 0);
  assert.match(full.text, /server 'r': .*more than 256 rules/);
  await store.stop();
  const next = await Store.start(t, folder);
  await next.until('DEPLOY', () => next.deployed().length === 2);
  assert.deepEqual(next.messages.filter(({ type }) => /^DEPLOY/.test(type))
    .map(({ flags }) => flags), [MAY, MAY]);
  const again = next.egress(5);
  await again.snapshot();
  assert.deepEqual(again.knows['local/r'], both);
});

test('a remote server whose network leaves no room for its URL is refused', async (t) => {
  const store = await Store.start(t);
  const many = (n) => Array.from({ length: n }, (_, i) => `h${i}.example.com`);
  const body = (n) => ({ name: 'r', url: 'https://mcp.example.com/v1', ...reaches(...many(n)) });
  await refused(store.ask('POST', '/servers', body(128)), 422, /network: .*more than 256 rules/);
  assert.equal((await store.ask('GET', '/servers/r')).status, 404);
  await ok(store.ask('POST', '/servers', body(127)), 201);
  await ok(store.ask('POST', '/servers/r/approve'));
  await store.until('DEPLOY', () => last(store)?.name === 'r');
  assert.equal(last(store).flags, MAY);
});

test('what was told survives the store', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-net-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = await Store.start(t, folder);
  await ok(store.ask('POST', '/servers', tool('a', '1', reaches('api.example.com'))), 201);
  await ok(store.ask('POST', '/servers/a/approve'));
  await store.stop();
  const next = await Store.start(t, folder);
  await next.until('DEPLOY', () => last(next)?.name === 'a');
  assert.equal(last(next).flags, MAY);
  const egress = next.egress(5);
  await egress.snapshot();
  assert.deepEqual(egress.knows, { 'local/a': api });
});
