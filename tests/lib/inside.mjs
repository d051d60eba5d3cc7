// SPDX-License-Identifier: Apache-2.0

// A test file that imports this first runs in a network and a mount namespace
// of its own, "the inside": only loopback, until a World (world.mjs) is put
// behind it. The file is started again in there, and reports as if it had been
// here; the machine's own interfaces and files are never touched.

import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

const namespace = () => readlinkSync('/proc/self/ns/net');

// What is started in new namespaces, and gets the signal when who started it is
// gone.
export function unshared(words, kinds = ['--net', '--mount'],
  signal = 'KILL') {
  const user = process.getuid() === 0 ? []
    : ['--user', '--map-current-user', '--keep-caps'];
  return ['unshare', ...user, ...kinds, '--',
    'setpriv', '--pdeathsig', signal, '--',
    'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...words];
}

if ((process.env.CORDON_TEST_OUTSIDE ?? namespace()) === namespace()) {
  const [program, ...words] = unshared(
    [process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  const { status, error } = spawnSync(program, words, {
    stdio: 'inherit',
    env: { ...process.env, CORDON_TEST_OUTSIDE: namespace() },
  });
  if (error) throw error;
  process.exit(status ?? 1);
}
