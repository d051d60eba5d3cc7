// SPDX-License-Identifier: Apache-2.0

// `cordon wrap`, as root and as somebody else.

import { spawn, spawnSync } from 'node:child_process';
import { cordon } from './paths.mjs';

const NOBODY = 65534;

export const users = process.getuid() === 0
  ? { root: {}, nobody: { uid: NOBODY, gid: NOBODY } }
  : { 'this user': {} };

const settings = (user, { env, ...more }) => ({
  ...users[user],
  cwd: '/',
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', ...env },
  ...more,
});

// Runs a box to its end.
export function wrap(user, words, more = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(cordon,
    ['wrap', ...words],
    settings(user, { encoding: 'utf8', timeout: 60_000, ...more }));
  if (error) throw error;
  return { code: status, signal, stdout, stderr };
}

// Starts one: a child whose output is heard, and whose end can be awaited.
export function start(user, words, more = {}) {
  const child = spawn(cordon, ['wrap', ...words], settings(user, more));
  child.heard = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name]?.on('data', (bytes) => { child.heard[name] += bytes; });
  }
  child.ended = new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })));
  return child;
}
