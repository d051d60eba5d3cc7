// SPDX-License-Identifier: Apache-2.0

// Promise: what a tool logs is bounded, and cannot forge the host's own words
// or steer a terminal.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { cordon, root } from '../lib/paths.mjs';
import { corpus } from './corpus.mjs';

const LOG_BYTES_MAX = 256 << 10;

function isCapped(one, { report }) {
  const bytes = report.logs.reduce((sum, line) =>
    sum + 1 + Buffer.byteLength(line.text), 0);
  assert.ok(bytes <= LOG_BYTES_MAX + 1024, `${bytes} bytes of logs`);
}

corpus('logs', { also: isCapped });

test('escape sequences of a tool do not reach the terminal', () => {
  const file = resolve(root, 'tests/abuse/logs/forged.js');
  const { stdout, stderr, status } = spawnSync(cordon, ['run', file],
    { encoding: 'latin1' });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /red/, 'the line itself is shown');
  assert.doesNotMatch(stderr, /[\u0000\u0007\u001b\r]/);
  assert.doesNotMatch(stderr, /^\{"ok":true/m, 'a line forged a report');
  assert.equal(JSON.parse(stdout), 'done');
});
