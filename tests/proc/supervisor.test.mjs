// SPDX-License-Identifier: Apache-2.0

// A supervisor with a client of its own (`cordon run`): its end, or that of
// its client, is the end of everything below it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cordon, patience } from '../lib/paths.mjs';
import { treeOf, until, watchTree } from '../lib/processes.mjs';

let folder;
let waits;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-test-'));
  waits = join(folder, 'waits.js');
  writeFileSync(waits, 'function run() { return new Promise((done) => setTimeout(done, 20000)) }');
});

after(() => rmSync(folder, { recursive: true, force: true }));

// The folders of control groups that a supervisor of this pid made.
function groupsOf(pid) {
  return readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n').flatMap((line) => {
    const [, names, path] = line.split(':');
    const mounts = names === '' ? ['', 'unified'] : [names.replace(/^name=/, '')];
    return mounts.map((mount) => join('/sys/fs/cgroup', mount, path, `cordon.${pid}`));
  }).filter((path) => existsSync(path));
}

const named = (pid, name) =>
  treeOf(pid).find((one) => one.name === name.slice(0, 15));

// A call in flight: its supervisor, its template and its cell are there.
async function start(t) {
  const front = spawn(cordon, ['run', '--json', '--timeout', '30s', waits, '{}'],
    { stdio: 'ignore', detached: true });
  const ended = new Promise((done) => front.on('close', (code, signal) => done({ code, signal })));
  const tree = watchTree(front.pid);
  t.after(async () => {
    for (const { pid } of await tree.left(0)) process.kill(pid, 'SIGKILL');
  });
  await until('a cell', () => named(front.pid, 'cordon-cell'), 20_000 * patience);
  tree.look();
  const supervisor = named(front.pid, 'cordon-supervisor').pid;
  return { front, ended, tree, supervisor, groups: groupsOf(supervisor) };
}

test('ends, and all below it, when its client is gone', async (t) => {
  const { front, ended, tree, supervisor } = await start(t);
  process.kill(front.pid, 'SIGKILL');
  await ended;
  assert.deepEqual(await tree.left(5000 * patience), []);
  assert.deepEqual(groupsOf(supervisor), []);
});

test('killed, takes all below it along; the next one cleans up behind it', async (t) => {
  const { ended, tree, supervisor, groups } = await start(t);
  // Who may make none (not root, nothing delegated) has none to be left.
  t.diagnostic(`control groups: ${groups.length}`);
  process.kill(supervisor, 'SIGKILL');
  assert.notEqual((await ended).code, 0);
  assert.deepEqual(await tree.left(5000 * patience), []);
  assert.deepEqual(groupsOf(supervisor), groups);

  const next = await start(t);
  assert.deepEqual(groupsOf(supervisor), [], 'folders of the last one are left');
  process.kill(next.front.pid, 'SIGKILL');
  await next.ended;
  assert.deepEqual(await next.tree.left(5000 * patience), []);
});
