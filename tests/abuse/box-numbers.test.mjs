// SPDX-License-Identifier: Apache-2.0

// Promise: the system calls that a payload may make are those of the table,
// payload.def: no number more, none less. Every
// number from 0 to 600 is called, bare; without the filter, as the control, and
// inside.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../lib/paths.mjs';
import { USER, as, attacks, run, runners, wrap } from './box.mjs';

const LAST = 600;
const { ENOSYS, EPERM, EAFNOSUPPORT } = constants.errno;
const X32 = 0x40000000;

const parse = ({ stdout, stderr }) => {
  const rows = stdout.trim().split('\n').filter(Boolean).map(JSON.parse);
  assert.ok(rows.length > 0, stderr);
  return new Map(rows.map((row) => [row.number, row]));
};

const words = [attacks, 'numbers', '0', String(LAST)];
const without = parse(await run(['unshare', '--mount', '--pid', '--fork',
  '--kill-child', '--mount-proc', '--net', '--ipc', '--uts', '--', 'setpriv', '--no-new-privs',
  '--', ...as(USER, words)]));

// Names by the C library's own table.
const headers = spawnSync('cc', ['-E', '-dM', '-include', 'asm/unistd.h',
  '-x', 'c', '/dev/null'], { encoding: 'utf8' }).stdout;
const numbers = new Map([...headers.matchAll(/#define __NR_(\w+) (\d+)/g)]
  .map(([, name, n]) => [name, Number(n)]));

for (const [name, n] of [['cachestat', 451], ['fchmodat2', 452]]) numbers.set(name, n);

// uretprobe and uprobe: the kernel hands them to no filter. Where no probe is
// set, as in the control, they answer ENXIO or end in a signal.
const unfiltered = new Set([335, 336]);

// The table's names, and whether their arguments matter.
function tableOf(text) {
  const table = new Map();
  for (const [, rule, name] of text.matchAll(/^(ALLOW|NOTE|READS|WRITES|GUARDED|UNGUARDED)(?:_BITS)?\((\w+),/gm))
    table.set(numbers.get(name), { name, rule });
  for (const [, name] of text.matchAll(/^\w+_BITS\((\w+),/gm))
    if (table.has(numbers.get(name))) table.get(numbers.get(name)).rule = 'bits';
  return table;
}
const table = tableOf(readFileSync(join(root, 'src/box/payload.def'), 'utf8'));

// How a call ended: numbers of processes and such differ.
const signature = ({ result, ...how }) =>
  JSON.stringify({ result: Math.min(result ?? 0, 0), ...how });

test('the control reaches the kernel with most numbers', () => {
  assert.equal(without.size, LAST + 1);
  const known = [...without.values()].filter(({ result }) => result !== -ENOSYS);
  assert.ok(known.length > 330, `${known.length}`);
});

for (const { name: who, uid } of runners) {
  const within = parse(await run(wrap(uid, [], words)));

  test(`every number was called in a box that ${who} started`, () => {
    assert.equal(within.size, LAST + 1);
  });

  test(`what is not in the table is refused in a box that ${who} started`, () => {
    const through = [...within.values()].filter(({ number, result }) =>
      !table.has(number) && !unfiltered.has(number) && result !== -ENOSYS && result !== -EPERM &&
      result !== -EAFNOSUPPORT).map(({ number }) => number);
    assert.deepEqual(through, []);
  });

  test(`what is in the table answers as without the filter (${who})`, () => {
    const differing = [...table].filter(([number, { rule }]) => rule !== 'bits' &&
      number <= LAST && signature(within.get(number)) !== signature(without.get(number)))
      .map(([, { name }]) => name);
    assert.deepEqual(differing, []);
  });

  test(`what no filter sees answers as in the control (${who})`, () => {
    for (const number of unfiltered)
      assert.equal(signature(within.get(number)), signature(without.get(number)));
  });

  test(`x32 kills in a box that ${who} started`, async () => {
    const other = parse(await run(wrap(uid, [],
      [attacks, 'numbers', String(X32), String(X32 + 20)])));
    for (const [number, { signal }] of other)
      assert.equal(signal, constants.signals.SIGSYS, `${number}`);
  });
}
