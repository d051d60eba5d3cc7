// SPDX-License-Identifier: Apache-2.0

// What was acknowledged stays, whenever the store is killed; a file that
// somebody wrote into from outside is seen through, or refused.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Store, TYPE, adminBody, auditBody, frame, tool } from './fake-supervisor.mjs';

const crashes = Number(process.env.CORDON_TEST_CRASHES ?? 200);

const folderFor = (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const sqlite = (folder, sql) =>
  execFileSync('sqlite3', [join(folder, 'cordon.db'), sql],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

// Pseudo-random, so that a failure can be had again.
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
}

// What was acknowledged, and what was asked last without an answer.
class Model {
  constructor() {
    this.tokens = new Map();
    this.removed = new Set();
    this.digest = undefined;
    this.doubt = undefined;
    this.deeds = 0;
    this.n = 0;
  }

  async write(store, pick) {
    const n = ++this.n;
    store.audit('tools/call', `{"n":${n}}`);
    const ids = [...this.tokens.keys()];
    if (pick < 5) {
      const answer = await store.ask('POST', '/tokens',
        { name: `token-${n}`, scopes: ['read'] });
      if (answer) this.tokens.set(answer.json.id, `token-${n}`);
      return answer;
    }
    if (pick < 7 && ids.length > 0) {
      this.doubt = ids[n % ids.length];
      const answer = await store.ask('DELETE', `/tokens/${this.doubt}`);
      if (answer) {
        this.tokens.delete(this.doubt);
        this.removed.add(this.doubt);
        this.doubt = undefined;
      }
      return answer;
    }
    this.inDoubt = true;
    const answer = await store.ask('POST', '/servers',
      tool('changing', `function run() { return ${n} }`));
    if (answer) {
      this.digest = answer.json.digest;
      this.inDoubt = false;
    }
    return answer;
  }

  // Everything that is wrong with what a new store knows.
  async complaints(store) {
    const wrong = [];
    const there = new Map(store.frames.filter(({ type }) => type === TYPE.TOKEN)
      .map(({ id, name }) => [id, name]));
    for (const [id, name] of this.tokens)
      if (there.get(id) !== name && id !== this.doubt) wrong.push(`token ${id} is gone`);
    for (const id of this.removed)
      if (there.has(id)) wrong.push(`token ${id} is back`);
    if (this.doubt !== undefined && !there.has(this.doubt)) {
      this.tokens.delete(this.doubt);
      this.removed.add(this.doubt);
    }
    this.doubt = undefined;
    if (this.digest !== undefined) {
      const { json } = await store.ask('GET', '/servers/changing');
      if (json.digest !== this.digest && !this.inDoubt) wrong.push('an older server');
      this.digest = json.digest;
    }
    this.inDoubt = false;
    const { json } = await store.ask('GET', '/audit/verify');
    if (!json.ok) wrong.push(`audit: ${JSON.stringify(json)}`);
    if (json.checked < this.deeds) wrong.push('the audit has shrunk');
    this.deeds = json.checked;
    return wrong;
  }
}

test(`loses nothing that it acknowledged, killed ${crashes} times`, async (t) => {
  const folder = folderFor(t);
  const model = new Model();
  const next = random(7);
  let acknowledged = 0;
  let midway = 0;

  for (let round = 0; round < crashes; round++) {
    const store = await Store.start(t, folder);
    assert.deepEqual(await model.complaints(store), [], `round ${round}`);
    // Killed after some answers, and then at any point of the next write.
    const writes = next(6);
    for (let i = 0; i < writes; i++) {
      assert.ok(await model.write(store, next(10)));
      acknowledged++;
    }
    const last = model.write(store, next(10));
    const delay = next(2000);
    const start = process.hrtime.bigint();
    while (process.hrtime.bigint() - start < BigInt(delay * 1000))
      await new Promise(setImmediate);
    store.kill();
    await (await last ? acknowledged++ : midway++);
    await store.stop();
    if (round % 20 === 0)
      assert.equal(sqlite(folder, 'PRAGMA integrity_check'), 'ok');
  }
  t.diagnostic(`${acknowledged} writes acknowledged, ${midway} cut`);
  assert.ok(midway > 0 || crashes < 50, 'no write was ever cut: the test shows nothing');
  assert.equal(sqlite(folder, 'PRAGMA integrity_check'), 'ok');

  // The control: what is taken away by hand is missed.
  sqlite(folder, `DELETE FROM tokens WHERE id = ${[...model.tokens.keys()][0]}`);
  const store = await Store.start(t, folder);
  assert.equal((await model.complaints(store)).length, 1);
});

test('audit is acknowledged when it is durable, and kept once', async (t) => {
  const folder = folderFor(t);
  const kept = (of, boot, sequence) => of.until('KEPT', () => of.frames.some((one) =>
    one.type === TYPE.KEPT && one.boot === boot && one.sequence >= sequence));
  const records = async (of) => (await of.ask('GET', '/audit')).json.records
    .map(({ action }) => action);
  const store = await Store.start(t, folder);
  for (let sequence = 1; sequence <= 3; sequence++)
    store.audit(`one/${sequence}`, '{}', { boot: 'one', sequence });
  await kept(store, 'one', 3);
  store.kill();
  await store.stop();

  // What was acknowledged is there; what is said again is there once.
  const next = await Store.start(t, folder);
  for (const sequence of [2, 3])
    next.audit(`one/${sequence}`, '{}', { boot: 'one', sequence });
  await kept(next, 'one', 3);
  next.audit('one/4', '{}', { boot: 'one', sequence: 4 });
  await kept(next, 'one', 4);
  assert.deepEqual(await records(next), ['one/1', 'one/2', 'one/3', 'one/4']);

  // Another gateway counts anew; what the last one left in its socket is heard.
  next.audit('one/5', '{}', { boot: 'one', sequence: 5 });
  await next.relink();
  next.audit('two/1', '{}', { boot: 'two', sequence: 1 });
  await kept(next, 'two', 1);
  assert.deepEqual((await records(next)).slice(4), ['one/5', 'two/1']);
  assert.equal((await next.ask('GET', '/audit/verify')).json.ok, true);
  await next.stop();
});

test('writes audit records in time, without being asked', async (t) => {
  const folder = folderFor(t);
  const store = await Store.start(t, folder);
  for (let i = 0; i < 1000; i++) store.audit('tools/call', `{"i":${i}}`);
  await store.settle();
  store.kill();
  await store.stop();
  const next = await Store.start(t, folder);
  // settle() waited for what came before it, and an answer commits.
  assert.equal((await next.ask('GET', '/audit/verify')).json.checked, 1000);
  await next.stop();
});

test('a full disk loses nothing that was acknowledged, and is told of', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root makes a small disk');
  const folder = folderFor(t);
  const store = await Store.start(t, folder, ['unshare', '--mount', 'sh', '-c',
    'mount -t tmpfs -o size=2m,mode=0755 tmpfs "$0" && exec "$1" "$2" "$0"', folder]);
  const there = async () => (await store.ask('GET', '/servers')).json.servers
    .map(({ name }) => name);

  const kept = [];
  let full;
  for (let i = 0; i < 100 && !full; i++) {
    const text = Array.from({ length: 64 }, () => Math.random().toString(36)).join('').repeat(80);
    const answer = await store.ask('POST', '/servers', tool(`server-${i}`, `// ${text}`));
    if (answer.status === 201) kept.push(`server-${i}`);
    else full = answer;
  }
  assert.equal(full?.status, 507, JSON.stringify(full?.json));
  assert.match(full.json.error, /nothing was done.*full/);
  assert.ok(kept.length > 3);
  assert.deepEqual(await there(), kept);
  for (let i = 0; i < 3000; i++)
    store.audit('tools/call', JSON.stringify({ i, padding: 'x'.repeat(1000) }));
  assert.equal((await store.ask('GET', '/audit/verify')).json.ok, true);
  assert.match(store.log, /the disk|cannot be written/);
  assert.equal(store.exit, undefined);

  // With room again it goes on, and says what is missing in between.
  execFileSync('nsenter', ['-t', String(store.helper.pid), '-m',
    'mount', '-o', 'remount,size=64m', folder]);
  assert.equal((await store.ask('POST', '/servers', tool('later'))).status, 201);
  assert.deepEqual(await there(), [...kept, 'later']);
  let after = 0;
  let lost;
  for (;;) {
    const { records } = (await store.ask('GET', `/audit?limit=1000&after=${after}`)).json;
    if (records.length === 0) break;
    lost ??= records.find(({ action }) => action === 'audit/lost');
    after = records.at(-1).number;
  }
  assert.ok(lost?.detail.records > 0);
  assert.deepEqual((await store.ask('GET', '/audit/verify')).json, { ok: true, checked: after });
});

const attacks = [
  ['a detail', 3, "UPDATE audit SET detail = CAST('{}' AS BLOB) WHERE number = 3"],
  ['a time', 3, 'UPDATE audit SET time_ms = time_ms + 1 WHERE number = 3'],
  ['who it was', 3, 'UPDATE audit SET principal = 9 WHERE number = 3'],
  ['whose it is', 3, 'UPDATE audit SET tenant = 9 WHERE number = 3'],
  ['an action', 3, "UPDATE audit SET action = 'x' WHERE number = 3"],
  ['a hash', 3, 'UPDATE audit SET hash = zeroblob(32) WHERE number = 3'],
  ['a record taken out', 3, 'DELETE FROM audit WHERE number = 3'],
  ['the first taken out', 1, 'DELETE FROM audit WHERE number = 1'],
  ['the last taken out', 6, 'DELETE FROM audit WHERE number = 6'],
  ['one taken out, the rest moved up', 3,
    'DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number > 3'],
  ['two that changed places', 3,
    'UPDATE audit SET number = 99 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 4;'
    + 'UPDATE audit SET number = 4 WHERE number = 99'],
  ['one put in at the end', 7,
    'INSERT INTO audit SELECT 7, time_ms, principal, tenant, request, action, detail, hash '
    + 'FROM audit WHERE number = 6'],
];

test('names the record that somebody tampered with', async (t) => {
  const folder = folderFor(t);
  const store = await Store.start(t, folder);
  for (let i = 0; i < 6; i++) store.audit('tools/call', `{"i":${i}}`);
  assert.deepEqual((await store.ask('GET', '/audit/verify')).json, { ok: true, checked: 6 });
  await store.stop();
  for (const sql of ["UPDATE audit SET action = 'x'", 'DELETE FROM audit'])
    assert.throws(() => sqlite(folder, sql), /append-only/);
  const whole = readFileSync(join(folder, 'cordon.db'));

  sqlite(folder, 'DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete');
  const open = readFileSync(join(folder, 'cordon.db'));
  for (const [what, number, sql] of [['nothing', undefined, ''], ...attacks]) {
    writeFileSync(join(folder, 'cordon.db'), open);
    if (sql) sqlite(folder, sql);
    const next = await Store.start(t, folder);
    const { json } = await next.ask('GET', '/audit/verify');
    assert.equal(json.broken, number, `${what}: ${JSON.stringify(json)}`);
    assert.equal(json.ok, number === undefined, what);
    await next.stop();
  }
  assert.ok(whole.length > 0);
});

test('refuses a database that it cannot vouch for', async (t) => {
  const folder = folderFor(t);
  await (await Store.start(t, folder)).stop();
  const file = join(folder, 'cordon.db');
  const good = readFileSync(file);
  const starts = async () => {
    const store = await Store.start(t, folder);
    const end = store.exit?.exit;
    await store.stop();
    return { end, log: store.log };
  };

  sqlite(folder, 'PRAGMA user_version = 99');
  let { end, log } = await starts();
  assert.equal(end, 70);
  assert.match(log, /has schema 99.*newer cordon/);

  writeFileSync(file, good);
  sqlite(folder, 'DROP TABLE tokens');
  ({ end, log } = await starts());
  assert.equal(end, 70);
  assert.match(log, /has not the tables of its schema/);

  writeFileSync(file, Buffer.alloc(8192, 'x'));
  ({ end, log } = await starts());
  assert.equal(end, 70);
  assert.match(log, /damaged.*backup/);

  // The control, and a second one while it runs.
  writeFileSync(file, good);
  const first = await Store.start(t, folder);
  assert.equal(first.exit, undefined);
  ({ end, log } = await starts());
  assert.equal(end, 70);
  assert.match(log, /open elsewhere/);
  assert.equal((await first.ask('GET', '/servers')).status, 200);
});

// It had answers for a gateway that was gone, and more to read from it than it
// reads at once.
test('what a gateway said before its end is heard, though it heard no answer', async (t) => {
  const store = await Store.start(t);
  const n = 300;
  const frames = [frame(TYPE.ADMIN, adminBody('letmein', 'GET', '/tenants', ''), { id: 1 })];
  for (let i = 0; i < n; i++)
    frames.push(frame(TYPE.AUDIT, auditBody('said/last', JSON.stringify({ i, pad: 'x'.repeat(300) }))));
  const { stream } = store;
  store.kill('SIGSTOP');
  await new Promise((done) => stream.write(Buffer.concat(frames), done));
  stream.destroy();
  store.kill('SIGCONT');
  await store.relink();
  const heard = await store.ask('GET', '/audit?limit=1000');
  const last = heard.json.records.filter(({ action }) => action === 'said/last');
  assert.deepEqual(last.map(({ detail }) => detail.i), Array.from({ length: n }, (_, i) => i));
});
