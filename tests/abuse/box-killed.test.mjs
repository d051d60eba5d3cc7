// SPDX-License-Identifier: Apache-2.0

// Whoever launches a box may be killed at any step of that: nothing of it is
// left behind. Its words are in the command line of all that it is made of,
// until the program's own exec.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cordon } from '../lib/paths.mjs';

const TRIES = 400;
const STEP_US = 12; // 400 steps are 5 ms: longer than a start takes

const folder = mkdtempSync(join(tmpdir(), 'cordon-killed-'));
const marker = `cordon-killed-${process.pid}`;
after(() => rmSync(folder, { recursive: true }));

function alive() {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(marker) &&
        !/^State:\s+Z/m.test(readFileSync(`/proc/${name}/status`, 'latin1'));
    } catch {
      return false;
    }
  });
}

// Not node's own timers: they know milliseconds.
const killer = `
import os, signal, sys, time
for i in range(${TRIES}):
    pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    end = time.perf_counter_ns() + i * ${STEP_US * 1000}
    while time.perf_counter_ns() < end:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
`;

test('a launcher that is killed at any step leaves no process behind', async () => {
  const child = spawn('/usr/bin/python3', ['-c', killer, cordon, 'wrap', '--write', folder,
    '--', 'sleep', '1000', marker], { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  // Not its "close": whatever is left holds the pipe open.
  const code = await new Promise((resolve) => { child.on('exit', resolve); });
  child.stderr.destroy();
  assert.equal(code, 0, err);
  let left = alive();
  for (let i = 0; i < 100 && left.length > 0; i++) {
    await sleep(20);
    left = alive();
  }
  for (const pid of left) process.kill(Number(pid), 'SIGKILL');
  assert.deepEqual(left, []);
  // One that lives for a second sweeps the groups of the dead.
  spawnSync(cordon, ['wrap', '--', 'sleep', '2']);
});
