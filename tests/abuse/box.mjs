// SPDX-License-Identifier: Apache-2.0

// Programs of strangers in a box, and the same where its walls are absent. The
// attacks are C (box/), one program; what they must not reach is laid out here
// and by that program's host side.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync, chownSync, closeSync, existsSync, lchownSync, mkdirSync,
  mkdtempSync, openSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build, cordon } from '../lib/paths.mjs';

export const attacks = join(build, 'tests/abuse/box/box-attacks');
export const isRoot = process.getuid() === 0;
export const SECRET = 'cordon-secret';

// Who runs the boxes: root, and an ordinary user. Who is no root is only that.
export const USER = isRoot ? 64321 : process.getuid();
export const runners = isRoot
  ? [{ name: 'root', uid: 0 }, { name: 'an ordinary user', uid: USER }]
  : [{ name: 'an ordinary user', uid: USER }];

// The words that make a command another user's.
export const as = (uid, words) => uid === process.getuid() ? words
  : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', ...words];

const later = 'later';

// Not below /tmp, which is another one inside.
const home = isRoot && existsSync('/srv') ? '/srv' : tmpdir();

function give(path, uid) {
  lchownSync(path, uid, uid);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() &&
      !path.endsWith('planted-folder'))
    for (const name of readdirSync(path)) give(join(path, name), uid);
}

// Folders and files, by paths that end in a slash or have a text.
export function lay(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    const at = join(folder, path);
    mkdirSync(path.endsWith('/') ? at : join(at, '..'), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(at, text, { mode: 0o644 });
  }
}

const work = {
  '.git/config': '[core]\n', '.git/hooks/post-commit': '#!/bin/sh\n',
  '.git/hooks/post-merge': '#!/bin/sh\n', '.git/hooks/sample': '#!/bin/sh\n',
  '.bashrc': '# rc\n', '.zshrc': '# rc\n', '.gitconfig': '[user]\n',
  '.vscode/settings.json': '{}\n', 'sub/module/.git/config': '[core]\n',
  'sub/module/.git/hooks/': '', 'src/main.c': 'int main(void);\n',
};

export class Place {
  // What one user has: granted to boxes, and not.
  static async make(uid = process.getuid()) {
    const place = new Place();
    place.uid = uid;
    place.folder = mkdtempSync(join(home, 'cordon-attacks-'));
    chmodSync(place.folder, 0o755);
    lay(place.folder, {
      'secret/key': SECRET, 'home/.ssh/id_ed25519': SECRET,
      'home/.npmrc': SECRET, 'granted/hidden/key': SECRET,
      'granted/file': 'granted\n', 'granted/mountpoint/': '', 'readonly/note': 'note\n',
      'readonly/long': 'long\n', 'readonly/victim': 'victim\n',
      'above/inner/file': 'inner\n', [`${later}/`]: '',
      ...Object.fromEntries(Object.entries(work)
        .map(([name, text]) => [`work/${name}`, text])),
    });
    chmodSync(place.at('work/.git/hooks/sample'), 0o644);
    symlinkSync('../secret/key', place.at('granted/planted'));
    symlinkSync('../secret', place.at('granted/planted-folder'));
    give(place.folder, uid);
    lay(place.folder, { 'other/key': SECRET });
    if (isRoot) chownSync(place.at('other/key'), uid === 0 ? USER : 0, 0);
    chmodSync(place.at('other/key'), 0o600);
    await place.#host();
    return place;
  }

  at(path) {
    return join(this.folder, path);
  }

  async #host() {
    const [command, ...words] = as(this.uid, [attacks, 'host', this.folder]);
    this.host = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    this.host.stdout.setEncoding('utf8').on('data', (text) => { said += text; });
    this.ended = new Promise((resolve) => {
      this.host.on('close', () => resolve(said));
    });
    while (!said.includes('ready')) {
      await Promise.race([sleep(10), this.ended]);
      assert.equal(this.host.exitCode, null, 'the host side has ended');
    }
  }

  // How many came to each listener of the host's; nothing is left.
  async end() {
    this.host.stdin.end();
    const said = await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
    return JSON.parse(said.slice(said.indexOf('{')));
  }

  // The host makes a file once an attack is there to want it.
  watchReady() {
    const timer = setInterval(() => {
      if (!existsSync(this.at('granted/ready'))) return;
      clearInterval(timer);
      writeFileSync(this.at(`${later}/key`), SECRET);
      symlinkSync(this.at(`${later}/key`), this.at('granted/later-link'));
    }, 20);
    return () => {
      clearInterval(timer);
      rmSync(this.at('granted/ready'), { force: true });
      rmSync(this.at(`${later}/key`), { force: true });
      rmSync(this.at('granted/later-link'), { force: true });
    };
  }
}

export async function run(words, { cwd, env, stdio, input, withinMs = 120_000 } = {}) {
  const [command, ...rest] = words;
  const child = spawn(command, rest, {
    cwd, env: { ...process.env, ...env },
    stdio: stdio ?? [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  if (input !== undefined) child.stdin.end(input);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name]?.setEncoding('utf8').on('data', (text) => { said[name] += text; });
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  return { code, signal, ...said };
}

// What the attacks said, by name. A terminal adds to lines.
export function outcomes({ stdout, stderr, code }) {
  const found = [...stdout.matchAll(/\{"name":.*?\}/g)].map(([text]) => JSON.parse(text));
  assert.ok(found.length > 0, `no attack was run (${code}): ${stderr || stdout}`);
  return new Map(found.map((one) => [one.name, one]));
}

const HERITAGE = 100;

// A run that inherits a folder of secrets a hundred times over.
export async function attack(place, words, folder = 'granted') {
  const stop = place.watchReady();
  const heritage = Array.from({ length: HERITAGE },
    () => openSync(place.at('secret'), 'r'));
  try {
    return await run(words, {
      cwd: place.at(folder),
      env: { HOME: place.at('home'), CORDON_ATTACKS_SECRET: SECRET },
      stdio: ['ignore', 'pipe', 'pipe', ...heritage],
    });
  } finally {
    heritage.forEach(closeSync);
    stop();
  }
}

const spaces = {
  near: ['--mount'],
  user: ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
  root: ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--uts'],
  space: ['--user', '--map-root-user', '--mount', '--pid', '--fork',
    '--kill-child', '--mount-proc', '--net', '--ipc', '--uts', '--cgroup'],
};

// Where the walls are absent, but for namespaces that keep what works in.
export async function control(place, level, which = level) {
  const words = [attacks, 'run', which, place.folder];
  if (level === 'terminal')
    return outcomes(await attack(place, ['unshare', ...spaces.user, '--',
      ...as(place.uid, ['script', '-qec', words.join(' '), '/dev/null'])]));
  if (level === 'limits' || level === 'work')
    return outcomes(await attack(place, ['unshare', ...spaces.user, '--',
      ...as(place.uid, words)], level === 'work' ? 'work' : 'granted'));
  const who = level === 'root' || level === 'space' ? process.getuid() : place.uid;
  return outcomes(await attack(place,
    ['unshare', ...spaces[level], '--', ...as(who, words)]));
}

// Those of box.test.mjs; limits and workspaces have tests of their own.
export const controls = ['user', 'near', 'root', 'space', 'terminal'];

// What a kernel or machine says that lacks what an attack is for.
export const lacks = new Set([
  'ENOSYS', 'ENOENT', 'ENODEV', 'ENXIO', 'ENETUNREACH', 'EAFNOSUPPORT',
  'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT', 'EADDRNOTAVAIL', 'ENOTBLK', 'EIO',
]);

const errnos = new Map(Object.entries(constants.errno).map(([name, n]) => [n, name]));
export const errnoOf = ({ error }) => errnos.get(error);

// What ends the process instead of being refused.
export const killed = new Set([
  'other_abi', 'other_abi_mount', 'other_x32', 'other_x32_ioctl',
]);

export function refused(outcome) {
  if (killed.has(outcome.name)) {
    assert.equal(outcome.signal, constants.signals.SIGSYS, JSON.stringify(outcome));
    return;
  }
  assert.equal(outcome.result, -1, JSON.stringify(outcome));
  assert.ok(errnoOf(outcome), JSON.stringify(outcome));
}

export const wrap = (uid, policy, words) =>
  as(uid, [cordon, 'wrap', ...policy, '--', ...words]);

// The same on a terminal of its own.
export const wrapOnTerminal = (uid, policy, words) =>
  as(uid, ['script', '-qec', [cordon, 'wrap', ...policy, '--', ...words]
    .map((word) => `'${word}'`).join(' '), '/dev/null']);
