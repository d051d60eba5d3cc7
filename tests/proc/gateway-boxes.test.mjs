// SPDX-License-Identifier: Apache-2.0

// Stdio servers in boxes behind a whole host: when they start, what becomes of
// them, what is told of it.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { addBox, admin, boxesOf, callBox, logOf, runtimeOf, stdioServer } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { callTool, rpc } from '../lib/mcp.mjs';
import { node, patience } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';

const WAIT = 15_000 * patience;
const command = (...words) => [node, stdioServer, ...words];
const none = 'export default { name: "none", version: "1", tools: {} };';

let host;
before(async () => { host = await Host.start({ files: { 'none.js': none } }); });
after(async () => {
  const { exit, left } = await host.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

const fails = (promise, words) => assert.rejects(promise, (error) => {
  assert.match(error.message, words);
  return true;
});

const gone = (name) => until(`no box of ${name}`,
  async () => (await runtimeOf(host, name)).boxes === 0, WAIT);

const logged = async (name, words) => {
  let last;
  await until(`${words} in the log`, async () => {
    last = await logOf(host, name);
    return last.some((line) => words.test(line));
  }, WAIT).catch((error) => assert.fail(`${error.message}: ${last.join('\n')}`));
  return last;
};

// All that was ever below the launchers of this host.
const below = () => boxesOf(host).flatMap(({ pid }) => treeOf(pid));

async function remove(name) {
  await admin(host, 'DELETE', `/servers/${name}`);
  await until('its boxes to be gone', () => boxesOf(host).length === 0, WAIT);
}

// Control groups of boxes, in every hierarchy.
function groups() {
  const supervisor = host.processes('cordon-supervisor')[0].pid;
  return readFileSync(`/proc/${supervisor}/cgroup`, 'utf8').trim().split('\n')
    .flatMap((line) => {
      const [, names, path] = line.split(':');
      const mounts = names === '' ? ['', 'unified'] : [names.replace(/^name=/, '')];
      return mounts.map((mount) =>
        join('/sys/fs/cgroup', mount, path, `cordon.${supervisor}`, 't-local'));
    }).filter((path) => existsSync(path));
}

test('starts when it is called, not when it is added, listed or searched for', async () => {
  await addBox(host, 'lazy');
  const { result } = await rpc(host, 'lazy', 'tools/list', {});
  assert.ok(result.tools.some(({ name }) => name === 'who'));
  await callBox(host, 'lazy', 'who');
  await admin(host, 'POST', '/servers/lazy/restart');
  await gone('lazy');
  const { box_starts: started } = await runtimeOf(host, 'lazy');
  for (let i = 0; i < 3; i++) await rpc(host, 'lazy', 'tools/list', {});
  assert.equal((await runtimeOf(host, 'lazy')).box_starts, started);
  await callBox(host, 'lazy', 'who');
  assert.equal((await runtimeOf(host, 'lazy')).box_starts, started + 1);
  await remove('lazy');
});

test('a gateway that comes back lists what was known, and starts nothing', async () => {
  await addBox(host, 'kept');
  await rpc(host, 'kept', 'tools/list', {});
  assert.equal(boxesOf(host).length, 1);
  const [{ pid }] = host.processes('cordon-gateway');
  process.kill(pid, 'SIGKILL');
  await until('boxes that end with their gateway',
    () => boxesOf(host).length === 0, WAIT);
  await until('the next gateway', async () => {
    const { status, result } = await rpc(host, 'kept', 'tools/list', {}).catch(() => ({}));
    return status === 200 && result.tools.length > 0;
  }, WAIT);
  assert.equal(boxesOf(host).length, 0);
  assert.equal((await callBox(host, 'kept', 'who')).calls, 1);
  await remove('kept');
});

test('what is not approved is not started', async () => {
  await admin(host, 'POST', '/servers', { name: 'new', kind: 'box', command: command(),
    policy: { filesystem: { allowRead: [dirname(stdioServer)] } } });
  const { status } = await rpc(host, 'new', 'tools/list', {});
  assert.equal(status, 404);
  assert.equal(boxesOf(host).length, 0);
  await remove('new');
});

test('says why it could not start, and what it said last', async () => {
  await addBox(host, 'absent', { command: ['/usr/bin/there-is-no-such-program'] });
  await fails(callTool(host, 'absent', 'who', {}), /could not start: .*no-such-program/);
  await remove('absent');
  await addBox(host, 'crash', { command: command('crash') });
  await fails(callTool(host, 'crash', 'who', {}), /ended with exit code 3/);
  await logged('crash', /^configuration is missing$/);
  await remove('crash');
});

test('one that keeps ending is started less and less often', async () => {
  await addBox(host, 'again', { command: command('crash') });
  let words;
  for (let i = 0; i < 6; i++)
    await callTool(host, 'again', 'who', {}).catch((error) => { words = error.message; });
  assert.match(words, /ended \d+ times soon after its start; it is tried again in \d+ s/);
  assert.ok((await runtimeOf(host, 'again')).box_starts < 12);
  await remove('again');
});

test('one that says nothing has its time, and no more', async () => {
  await addBox(host, 'silent', { command: command('silent'), box: { start_ms: 1000 } });
  await fails(callTool(host, 'silent', 'who', {}), /did not answer .* within 1 s/);
  await gone('silent');
  await remove('silent');
});

test('is not started more often than it may be', async () => {
  await addBox(host, 'paced', { box: { starts_per_minute: 2 } });
  for (let i = 0; i < 2; i++) {
    await callBox(host, 'paced', 'who');
    await fails(callTool(host, 'paced', 'exit', { code: 0 }), /exit code 0/);
  }
  await fails(callTool(host, 'paced', 'who', {}),
    /started 2 times within a minute, which is its limit \(starts_per_minute\)/);
  await remove('paced');
});

test('ends when it is idle, and with it all that it started', async () => {
  await addBox(host, 'idle', { box: { idle_s: 1 } });
  assert.equal(await callBox(host, 'idle', 'litter', { count: 5 }), 5);
  await until('its processes', () => below().length >= 8, WAIT);
  const pids = below().map(({ pid }) => pid);
  await gone('idle');
  assert.deepEqual(pids.filter((pid) => existsSync(`/proc/${pid}`)), []);
  assert.ok((await logged('idle', /^ended: it was idle$/)).length > 0);
  await until('its control groups to be gone', () => groups().every((group) =>
    readdirSync(group).every((name) => !name.startsWith('b-'))), WAIT);
  await remove('idle');
});

test('one that ignores its stdin and TERM is killed', async () => {
  await addBox(host, 'deaf', { command: command('deaf') });
  await callBox(host, 'deaf', 'who');
  await admin(host, 'POST', '/servers/deaf/restart');
  await gone('deaf');
  await logged('deaf', /^TERM was heard$/);
  await remove('deaf');
});

test('one that was granted an hour of grace has not that of a host', async () => {
  const command_ = command('deaf');
  const added = await admin(host, 'POST', '/servers', { name: 'patient', command: command_,
    policy: { filesystem: { allowRead: [dirname(stdioServer), dirname(node)] },
      limits: { grace: '1h' } } });
  await admin(host, 'POST', '/servers/patient/approve', { digest: added.digest });
  await callBox(host, 'patient', 'who');
  const pids = below().map(({ pid }) => pid);
  assert.ok(pids.length >= 3);
  await admin(host, 'POST', '/servers/patient/deny');
  await until('all of it to be gone',
    () => pids.every((pid) => !existsSync(`/proc/${pid}`)), 30_000 * patience);
  await remove('patient');
});

// As a box would be whose init a broken kernel has given to the program.
test('one whose init does nothing any more is killed from outside', async () => {
  await addBox(host, 'stuck');
  await callBox(host, 'stuck', 'who');
  const pids = below().map(({ pid }) => pid);
  assert.ok(pids.length >= 3);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await admin(host, 'POST', '/servers/stuck/restart');
  await until('all of it to be gone',
    () => pids.every((pid) => !existsSync(`/proc/${pid}`)), 30_000 * patience);
  await gone('stuck');
  await remove('stuck');
});

test('who kills its launcher, kills all of it, and the next call starts another', async () => {
  await addBox(host, 'orphan');
  const { born } = await callBox(host, 'orphan', 'who');
  await callBox(host, 'orphan', 'litter', { count: 3 });
  const pids = below().map(({ pid }) => pid);
  process.kill(boxesOf(host)[0].pid, 'SIGKILL');
  await until('all of it to be gone',
    () => pids.every((pid) => !existsSync(`/proc/${pid}`)), WAIT);
  await gone('orphan');
  assert.notEqual((await callBox(host, 'orphan', 'who')).born, born);
  await remove('orphan');
});

test('a memory limit ends it alone, and is named', async () => {
  await addBox(host, 'hog', { memory: '1GiB' });
  await addBox(host, 'beside');
  const { pid, born } = await callBox(host, 'beside', 'who');
  await fails(callTool(host, 'hog', 'hog', {}), /ended by .*memory|exit code|signal/);
  if (groups().length > 0) await logged('hog', /limit: memory limit of 1 GiB/);
  assert.ok((await callBox(host, 'hog', 'who')).calls === 1);
  const still = await callBox(host, 'beside', 'who');
  assert.deepEqual([still.pid, still.born], [pid, born]);
  await remove('hog').catch(() => {});
  await remove('beside');
});

test('what it says and what it is refused is in its log, bounded', async () => {
  await addBox(host, 'talks');
  await callBox(host, 'talks', 'say', { lines: ['one', 'x'.repeat(5000), '\x1b[31mred'] });
  assert.equal(await callBox(host, 'talks', 'read', { path: '/etc/shadow' }), 'ENOENT');
  assert.equal(await callBox(host, 'talks', 'reopen'), 'ok');
  await logged('talks', /^refused: read \/etc\/shadow$/);
  await logged('talks', /^by its name$/);
  const lines = await logged('talks', /^one$/);
  assert.ok(lines.every((line) => line.length <= 1024));
  await callBox(host, 'talks', 'say', { lines: Array.from({ length: 5000 }, (_, i) => `n${i}`) });
  await logged('talks', /lines of this second are left out/);
  await remove('talks');
});

test('an old one is replaced by one that was greeted first', async () => {
  await addBox(host, 'old', { box: { life_s: 2 } });
  const first = await callBox(host, 'old', 'who');
  const slow = callBox(host, 'old', 'sleep', { ms: 4000 });
  let next;
  await until('the next one', async () => {
    next = await callBox(host, 'old', 'who');
    return next.born !== first.born;
  }, WAIT);
  assert.equal(await slow, 'slept'); // it ends where it began
  await logged('old', /^ended: a younger one took its place$/);
  await remove('old');
});

test('a spare is there before it is wanted', async () => {
  await addBox(host, 'warm', { box: { spares: 1 }, share: 'session' });
  await callBox(host, 'warm', 'who');
  await until('a spare', () => boxesOf(host).length === 2, WAIT);
  await remove('warm');
});

test('one that hangs is replaced', async () => {
  await addBox(host, 'hung', { limits: { wall_ms: 1000 } });
  const { born } = await callBox(host, 'hung', 'who');
  await fails(callTool(host, 'hung', 'hang', {}), /timeout/);
  const next = await callBox(host, 'hung', 'who');
  assert.notEqual(next.born, born);
  await logged('hung', /did not answer within 5 s whether it is there/);
  await remove('hung');
});

test('another launch of an approved name ends what runs', async () => {
  await addBox(host, 'changed');
  await callBox(host, 'changed', 'who');
  assert.equal(boxesOf(host).length, 1);
  await admin(host, 'POST', '/servers', { name: 'changed', kind: 'box',
    command: command('deaf'), policy: {} });
  await until('its box to be gone', () => boxesOf(host).length === 0, WAIT);
  await remove('changed');
});

test('reads what it was given', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-box-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'given'), 'to read');
  await addBox(host, 'reads', { read: [dirname(stdioServer), dirname(node), folder] });
  assert.equal(await callBox(host, 'reads', 'read', { path: join(folder, 'given') }), 'to read');
  await remove('reads');
});

test('counts what started and how it ended', async () => {
  const page = await (await fetch(`${host.url}/metrics`, { headers: host.headers })).text();
  assert.match(page, /cordon_server_boxes\{/);
  await addBox(host, 'counted');
  await fails(callTool(host, 'counted', 'exit', { code: 7 }), /exit code 7/);
  const counted = await (await fetch(`${host.url}/metrics`, { headers: host.headers })).text();
  assert.match(counted,
    /server_box_ends_total\{tenant="local",server="counted",reason="left"\} 1/);
  assert.match(counted, /server_box_starts_total\{tenant="local",server="counted"\} 1/);
  await remove('counted');
});

test('one that asks and never reads the answers is ended', async () => {
  await addBox(host, 'asker', { command: command() });
  const before = Date.now();
  await fails(callBox(host, 'asker', 'ask', { count: 20_000 }),
    /messages that answer nothing or are none/);
  assert.ok(Date.now() - before < WAIT);
  await remove('asker');
});
