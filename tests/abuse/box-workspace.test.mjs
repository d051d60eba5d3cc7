// SPDX-License-Identifier: Apache-2.0

// Promise: in a workspace all may be written but what its owner's tools obey:
// dotfiles and VCS hooks, there or not, by whatever name. The attacks are C
// (box/guarded.c); the control is the same in the bare folder.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Place, USER, attack, attacks, control, outcomes, refused, runners, wrap,
} from './box.mjs';

const free = await Place.make(USER);
const without = await control(free, 'work');
await free.end();

for (const [name, outcome] of without)
  test(`${name} works without the walls`, () => {
    assert.ok(outcome.result >= 0, JSON.stringify(outcome));
  });

// All files of a folder, by path: what they hold, where links lead.
function snapshot(folder, below = '') {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((one) => {
    const path = join(below, one.name);
    if (one.isDirectory()) return [[`${path}/`, ''], ...snapshot(folder, path)];
    return [[path, one.isSymbolicLink() ? readlinkSync(join(folder, path))
      : readFileSync(join(folder, path), 'utf8')]];
  });
}

// Dotfiles and hooks, wherever they are.
const guarded = (folder) => Object.fromEntries(snapshot(folder)
  .filter(([path]) => /(^|\/)\.(?!\.)/.test(path))
  .filter(([path]) => !/\.git\/(?!hooks|config)/.test(path)));

async function inWorkspace(uid) {
  const place = await Place.make(uid);
  const was = guarded(place.at('work'));
  const policy = ['--profile', 'workspace', '--read', place.at('granted/host')];
  const report = await attack(place,
    wrap(uid, policy, [attacks, 'run', 'guarded', place.folder]), 'work');
  const is = guarded(place.at('work'));
  const rest = await attack(place, wrap(uid, policy,
    ['/bin/sh', '-c', 'echo new >src/new.c && echo more >>src/main.c']), 'work');
  const files = new Map(snapshot(place.at('work')));
  await place.end();
  return { report, was, is, rest, files };
}

for (const { name: who, uid } of runners) {
  const { report, was, is, rest, files } = await inWorkspace(uid);

  describe(`in a workspace that ${who} opened`, () => {
    for (const [name, outcome] of outcomes(report))
      test(`${name} is refused`, () => refused(outcome));

    test('dotfiles and hooks are as they were', () => assert.deepEqual(is, was));

    test('the rest may be written', () => {
      assert.equal(rest.code, 0, rest.stderr);
      assert.equal(files.get('src/new.c'), 'new\n');
      assert.match(files.get('src/main.c'), /more/);
    });
  });
}
