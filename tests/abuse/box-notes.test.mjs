// SPDX-License-Identifier: Apache-2.0

// A flood of refusals is told once, then counted inside: it wakes nobody
// outside the box's control group, and hides no refused call.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const program = (files, calls, unknown) => `
import ctypes
libc = ctypes.CDLL(None)
for i in range(${files}):
    try: open('/nonexistent-%d/x' % i)
    except OSError: pass
for i in range(${calls}): libc.syscall(${process.arch === 'x64' ? 165 : 40}, 0, 0, 0, 0, 0)
for i in range(${unknown}): libc.syscall(10000 + i)
`;

function told(files, calls, unknown) {
  const { status, stderr } = spawnSync(cordon, ['wrap', '--json', '--',
    '/usr/bin/python3', '-c', program(files, calls, unknown)], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const notes = stderr.trim().split('\n').map((line) => JSON.parse(line));
  const isMount = (note) => note.kind === 'call' && note.call.startsWith('mount(');
  return {
    mounts: notes.filter(isMount).map(({ count }) => count),
    calls: notes.filter(({ kind }) => kind === 'call')
      .reduce((sum, { count }) => sum + count, 0),
    lost: notes.some(({ kind }) => kind === 'lost'),
  };
}

test('a refused call is told once, however often it is made', () => {
  assert.deepEqual(told(0, 3000, 0), { mounts: [1], calls: 1, lost: false });
});

test('after a flood of files, too', () => {
  assert.deepEqual(told(2000, 3000, 0), { mounts: [1], calls: 1, lost: true });
});

test('numbers that nobody knows do not add up without end', () => {
  const { calls, lost } = told(0, 0, 5000);
  assert.ok(lost);
  assert.ok(calls <= 1536, `${calls} notes of calls`);
});
