// SPDX-License-Identifier: Apache-2.0

// Promise: a box takes no more than its limits, and whoever tries ends or is
// refused alone. First a little too much of everything, each with its control;
// then bombs, beside a neighbour who must not notice.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { patience } from '../lib/paths.mjs';
import { treeOf, until, watchTree } from '../lib/processes.mjs';
import { Place, USER, attack, attacks, control, lacks, errnoOf, outcomes, run, runners,
  wrap } from './box.mjs';

const MiB = 1 << 20;

const free = await Place.make(USER);
const without = await control(free, 'limits');
await free.end();

for (const [name, outcome] of without)
  test(`${name}: works without limits`, () => {
    assert.ok(outcome.result >= 0, JSON.stringify(outcome));
  });

// Held by a control group only: rlimits count private memory of one process.
const ofTheTree = new Set(['memory_shared', 'memory_file', 'memory_hidden',
  'memory_tables', 'memory_sockets', 'memory_pipes', 'memory_many']);

// What the limits of a box are, and how they are kept.
const limits = ['--memory', '40MiB', '--pids', '24', '--tmp-size', '16MiB'];

function policyOf(place) {
  const path = place.at('limits.json');
  writeFileSync(path, JSON.stringify({
    filesystem: { allowWrite: [place.at('granted')] }, limits: { files: 256 } }));
  return ['--policy', path, ...limits];
}

const explained = async (uid) =>
  (await run(wrap(uid, [...limits, '--explain'], ['/bin/true']))).stdout;

for (const { name: who, uid } of runners) {
  const place = await Place.make(uid);
  const policy = policyOf(place);
  const held = await explained(uid);
  const grouped = /memory 40 MiB \(control group/.test(held);
  const found = new Map();
  for (const name of without.keys()) {
    const report = await attack(place,
      wrap(uid, policy, [attacks, 'run', name, place.folder]));
    const outcome = report.stdout.trim() === '' ? { name, ended: report.code }
      : outcomes(report).get(name);
    found.set(name, outcome);
  }
  await place.end();

  describe(`limits of a box that ${who} started`, () => {
    test('it is said which hold, and how', () => {
      assert.match(held, /limits +memory 40 MiB \(.*\), 24 processes \(.*\)/);
    });

    for (const [name, outcome] of found) {
      // A granted folder is the host's disk: nothing bounds it.
      if (name === 'disk_place') continue;
      const skip = !grouped && ofTheTree.has(name) && 'no control group here';
      test(`${name} is refused or ended`, { skip }, () => {
        assert.ok(outcome.result === -1 || outcome.signal === 9 ||
          outcome.ended === 137, JSON.stringify(outcome));
        assert.ok(!lacks.has(errnoOf(outcome)) || errnoOf(outcome) === 'ENOENT',
          JSON.stringify(outcome));
      });
    }
  });
}

// A box that goes on writing the time, so that a pause can be seen.
async function neighbour(uid) {
  const script = 'while :; do echo beat; sleep 0.05; done';
  const [command, ...words] = wrap(uid, [], ['/bin/sh', '-c', script]);
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  let beats = 0;
  let last = performance.now();
  let longest = 0;
  child.stdout.on('data', () => {
    const now = performance.now();
    longest = Math.max(longest, beats > 0 ? now - last : 0);
    last = now;
    beats++;
  });
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  await until('the neighbour to live', () => beats > 2);
  return {
    beats: () => beats,
    longestMs: () => longest,
    async end() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

// Runs a bomb in a box; how it ended, the most processes it had, what is left.
async function explode(uid, policy, words, { withinMs = 20_000, drop = false } = {}) {
  const [command, ...rest] = wrap(uid, policy, [attacks, 'bomb', ...words]);
  const began = performance.now();
  const child = spawn(command, rest,
    { stdio: ['ignore', drop ? 'ignore' : 'pipe', 'pipe'] });
  let stderr = '';
  let bytes = 0;
  child.stderr.on('data', (text) => { stderr = `${stderr}${text}`.slice(-100_000); });
  child.stdout?.on('data', (piece) => { bytes += piece.length; });
  const tree = watchTree(child.pid, 10);
  let most = 0;
  let watcherBytes = 0;
  const timer = setInterval(() => {
    const all = treeOf(child.pid);
    most = Math.max(most, all.length);
    watcherBytes = Math.max(watcherBytes, rssOf(child.pid));
  }, 20);
  const overdue = setTimeout(() => child.kill('SIGKILL'), withinMs * patience);
  const [code, signal] = await new Promise((resolve) => {
    child.on('close', (...how) => resolve(how));
  });
  const tookMs = performance.now() - began;
  clearInterval(timer);
  clearTimeout(overdue);
  return { code, signal, stderr, bytes, most, watcherBytes, tookMs,
    left: await tree.left() };
}

function rssOf(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  } catch {
    return 0;
  }
}

const TIMEOUT = 124;
const inTime = ['--timeout', '2s', '--memory', '64MiB', '--pids', '32', '--tmp-size', '16MiB'];

for (const { name: who, uid } of runners) {
  describe(`bombs in a box that ${who} started`, () => {
    const bomb = (name, words, look, options) => test(name, async () => {
      const beside = await neighbour(uid);
      try {
        const before = beside.beats();
        const how = await explode(uid, inTime, words, options);
        assert.deepEqual(how.left, [], 'something is left');
        assert.ok(how.watcherBytes < 16 * MiB, `the watcher took ${how.watcherBytes}`);
        look(how);
        await until('the neighbour to go on', () => beside.beats() > before + 2);
        assert.ok(beside.longestMs() < 3000 * patience, `${beside.longestMs()} ms`);
      } finally {
        await beside.end();
      }
    });

    const timeIsUp = (how) => {
      assert.equal(how.code, TIMEOUT, JSON.stringify(how));
      assert.ok(how.tookMs < 10_000 * patience, `${how.tookMs}`);
    };
    // The kernel may choose the payload itself when memory ends.
    const killedOrTimeIsUp = (how) => {
      assert.ok([TIMEOUT, 137, 1].includes(how.code), JSON.stringify(how));
      assert.ok(how.tookMs < 10_000 * patience, `${how.tookMs}`);
    };

    bomb('forks without end', ['fork'], (how) => {
      timeIsUp(how);
      assert.ok(how.most <= 32 + 3, `${how.most} processes`);
    });
    bomb('threads without end', ['threads'], timeIsUp);
    bomb('memory without end', ['memory'], killedOrTimeIsUp);
    bomb('memory without end, begun again and again', ['memory-family'],
      killedOrTimeIsUp);
    bomb('files without end', ['disk', '/tmp'], timeIsUp);
    bomb('files without end in shared memory', ['disk', '/dev/shm'], timeIsUp);
    bomb('output without end', ['output'], (how) => {
      timeIsUp(how);
      assert.ok(how.bytes > MiB, `${how.bytes}`);
    });
    bomb('errors without end', ['output', 'stderr'], timeIsUp);
    bomb('four processes that compute', ['cpu', '4'], timeIsUp);
    bomb('inotify without end', ['inotify'], (how) =>
      assert.ok([TIMEOUT, 1, 2].includes(how.code), JSON.stringify(how)));
    bomb('refused calls without end', ['refusals', '60'], timeIsUp);
    bomb('refused opens from eight threads', ['refusals-wide', '60'], timeIsUp);
  });
}

test('no box, control group or mount is left', () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.doesNotMatch(mounts, /cordon-attacks/);
});
