// SPDX-License-Identifier: Apache-2.0

// Promise: native code in a cell, as after a bug in V8, reaches nothing. The
// attacks are C (native/payload.c), linked into the glue of test builds only;
// the control is the same C where cordon's walls are absent.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../lib/paths.mjs';

const build = resolve(root, process.env.CORDON_PAYLOAD_BUILD ?? 'build-check');
const REFUSED = 55; // ENOANO: cordon's filter, and nothing else, answers so
const SIGSYS = constants.signals.SIGSYS;
const { EBADF, ENOMEM } = constants.errno;

// What is not simply refused by the filter.
const otherwise = {
  descriptor_others: { error: EBADF }, // there is only the one
  descriptor_beyond: { error: EBADF },
  memory_flood: { error: ENOMEM }, // RLIMIT_DATA
  memory_space: { error: ENOMEM }, // RLIMIT_AS
  other_abi: { signal: SIGSYS }, // another ABI ends the process
  other_x32: { signal: SIGSYS },
};

// Attacks whose control cannot succeed either; the kernel must have answered.
const answeredByKernel = new Set(['exec_self', 'namespace_setns', 'signal_all',
  'bpf_map', 'descriptor_receive', 'descriptor_send', 'descriptor_third',
  'device_ioctl', 'memory_kernel', 'other_x32', 'perf', 'keys', 'fault_handler', 'uring']);

const folder = mkdtempSync(join(tmpdir(), 'cordon-native-'));
const tool = join(folder, 'attack.js');
writeFileSync(tool, 'function run({ name }) { return attack(name) }\n');
after(() => rmSync(folder, { recursive: true }));

// In namespaces of its own: what works there is gone with it.
function controls() {
  const text = execFileSync('unshare', ['--user', '--map-root-user', '--mount',
    '--pid', '--fork', '--net', '--ipc', '--uts',
    join(build, 'tests/abuse/native/payload-control')], { encoding: 'utf8' });
  return new Map(text.trim().split('\n').map(JSON.parse)
    .map((outcome) => [outcome.name, outcome]));
}

function attack(name, ...args) {
  let text;
  try {
    text = execFileSync(join(build, 'cordon'),
      ['run', '--json', ...args, tool, JSON.stringify({ name })],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    text = error.stdout;
  }
  const report = JSON.parse(text);
  if (report.ok) {
    const [result, error] = report.result;
    return { result, error };
  }
  const signal = /signal (\d+)/.exec(report.error.message);
  return { code: report.error.code, signal: Number(signal?.[1]) };
}

const control = controls();

test('the control names every attack', () => {
  assert.ok(control.size > 50, `${control.size}`);
});

for (const [name, without] of control) {
  test(`${name}: works without the walls`, () => {
    assert.notEqual(without.error, REFUSED);
    if (!answeredByKernel.has(name))
      assert.ok(without.result >= 0, JSON.stringify(without));
  });

  test(`${name}: is refused in a cell`, () => {
    const within = attack(name);
    const { error = REFUSED, signal } = otherwise[name] ?? {};
    if (signal !== undefined) {
      assert.equal(within.signal, signal, JSON.stringify(within));
      return;
    }
    assert.equal(within.result, -1, JSON.stringify(within));
    assert.equal(within.error, error);
  });
}

test('a cell with a way out has one descriptor more, and nothing else', () => {
  const net = ['--net', 'api.acme.net'];
  assert.equal(attack('descriptor_others', ...net).result, 1);
  assert.equal(attack('descriptor_beyond', ...net).error, EBADF);
  for (const name of ['descriptor_third', 'descriptor_dup', 'descriptor_send',
    'descriptor_receive', 'socket_inet', 'socket_unix', 'socket_pair'])
    assert.equal(attack(name, ...net).error, REFUSED, name);
});
