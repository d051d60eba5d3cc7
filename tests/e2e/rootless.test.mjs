// SPDX-License-Identifier: Apache-2.0

// Root and everybody else get the same answers from the same walls. Run by
// root, this file plays somebody else; run by somebody else, all the other
// tests are that already, and these are still made.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const NOBODY = 65534;
const folder = mkdtempSync(join(tmpdir(), 'cordon-rootless-'));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.getuid() === 0;
const users = isRoot
  ? { root: {}, nobody: { uid: NOBODY, gid: NOBODY } }
  : { 'this user': {} };

function run(user, source, ...words) {
  const file = join(folder, 'tool.js');
  writeFileSync(file, source, { mode: 0o644 });
  const env = { ...process.env, HOME: '/nonexistent' };
  const { stdout, stderr, status, error } = spawnSync(cordon,
    ['run', '--json', file, ...words],
    { ...users[user], env, cwd: '/', encoding: 'utf8', timeout: 30_000 });
  if (error) throw error;
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    throw new Error(`no report: ${stdout}${stderr}`);
  }
  return { report, status };
}

for (const user of Object.keys(users)) {
  describe(`as ${user}`, () => {
    test('a tool answers', () => {
      const { report, status } = run(user,
        'function run({ a, b }) { return a + b; }', '{"a":19,"b":23}');
      assert.deepEqual([report.ok, report.result, status], [true, 42, 0]);
    });

    test('a loop ends', () => {
      const { report, status } = run(user, 'function run() { for (;;); }');
      assert.deepEqual([report.error.code, report.error.limit, status],
        ['timeout', 'cpu', 11]);
    });

    test('a flood ends', () => {
      const { report, status } = run(user,
        'function run() { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)); }',
        '--timeout-cpu', '10s');
      assert.deepEqual([report.error.code, status], ['memory', 12]);
    });

    test('doctor finds every wall', () => {
      const { status, stdout } = spawnSync(cordon, ['doctor'],
        { ...users[user], cwd: '/', encoding: 'utf8', timeout: 30_000 });
      assert.equal(status, 0, stdout);
    });
  });
}
