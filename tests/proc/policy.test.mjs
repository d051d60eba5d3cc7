// SPDX-License-Identifier: Apache-2.0

// Policies as boxes keep them: each rule with the same program once under it
// and once without, so that what is refused would else have worked.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync,
  symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, test } from 'node:test';

import { cordon } from '../lib/paths.mjs';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cordon-policy-')));
const home = join(folder, 'home');
const work = join(home, 'project');
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name, text) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  write('home/.ssh/id', 'id\n');
  write('home/project/keys/key', 'key\n');
  write('home/project/keys/public/p', 'p\n');
  write('home/project/keys/public/out/o', 'o\n');
  write('home/project/src/.env', 'env\n');
  write('home/project/.bashrc', 'rc\n');
  write('data/d', 'd\n');
  symlinkSync(join(folder, 'data'), join(folder, 'link'));
  symlinkSync('../.ssh', join(work, 'to-ssh'));
});

// What a script says under a policy, or settings of srt's.
function run(policy, script, { option = '--policy' } = {}) {
  const file = join(folder, 'policy.json');
  writeFileSync(file, JSON.stringify(policy));
  const { status, stdout, stderr } = spawnSync(cordon,
    ['wrap', option, file, '--', 'sh', '-c', script],
    { cwd: work, env: { PATH: process.env.PATH, HOME: home }, encoding: 'utf8' });
  return { status, stdout, stderr };
}

const reads = (filesystem, path) =>
  run({ filesystem }, `cat '${path}'`).stdout;
const writes = (filesystem, path) =>
  run({ filesystem }, `echo new > '${path}'`).status === 0;

test('nothing is readable that is not granted', () => {
  assert.equal(reads({}, join(work, 'src/.env')), '');
  assert.equal(reads({ allowRead: ['.'] }, join(work, 'src/.env')), 'env\n');
});

test('a denied folder is empty, and what is granted in it is there', () => {
  const allowRead = ['.', 'keys/public'];
  const allowWrite = ['keys/public/out'];
  const key = join(work, 'keys/key');

  assert.equal(reads({ allowRead }, key), 'key\n');
  const rules = { allowRead, allowWrite, denyRead: ['keys'] };
  const { stdout, stderr } = run({ filesystem: rules },
    'ls -A keys; cat keys/public/p keys/public/out/o; echo o2 > keys/public/out/o; ' +
    'touch keys/x keys/public/x 2>/dev/null || echo refused');
  assert.equal(stdout, 'public\np\no\nrefused\n', stderr);
  assert.equal(readFileSync(join(work, 'keys/public/out/o'), 'utf8'), 'o2\n');
  assert.ok(!existsSync(join(work, 'keys/x')));
});

test('what every box holds can be denied, but for a part', () => {
  const denyRead = ['/usr/share'];
  const list = (filesystem) =>
    run({ filesystem }, 'ls /usr/share; ls /usr/share/zoneinfo/UTC').stdout;

  assert.ok(list({}).split('\n').length > 3);
  assert.equal(list({ denyRead }), '');
  assert.equal(list({ denyRead, allowRead: ['/usr/share/zoneinfo'] }),
    'zoneinfo\n/usr/share/zoneinfo/UTC\n');
});

test('what is of the box itself can be denied', () => {
  const path = '/proc/cpuinfo';

  assert.notEqual(reads({}, path), '');
  assert.equal(reads({ denyRead: [path] }, path), '');
});

test('what every box holds may be writable, but for a part', () => {
  const mounts = run({ filesystem: { allowWrite: ['/usr/local'],
    denyWrite: ['/usr/local/lib'] } }, 'cat /proc/self/mountinfo').stdout;
  const options = (path) => mounts.split('\n').map((line) => line.split(' '))
    .findLast((words) => words[4] === path)?.[5].split(',')[0];

  assert.equal(options('/usr/local'), 'rw');
  assert.equal(options('/usr/local/lib'), 'ro');
});

test('a pattern denies what is there', () => {
  const env = join(work, 'src/.env');

  assert.equal(reads({ allowRead: ['.'] }, env), 'env\n');
  assert.equal(reads({ allowRead: ['.'], denyRead: ['**/.env'] }, env), '');
});

test('a deny holds under every name of its file', () => {
  const id = join(home, '.ssh/id');
  const link = join(folder, 'link');

  assert.equal(reads({ allowRead: ['~'] }, join(work, 'to-ssh/id')), 'id\n');
  for (const path of [id, join(work, 'to-ssh/id')]) {
    assert.equal(reads({ allowRead: ['~'], denyRead: ['to-ssh'] }, path), '');
  }
  for (const path of [join(link, 'd'), join(folder, 'data/d')]) {
    assert.equal(reads({ allowRead: [link] }, path), 'd\n');
    assert.equal(reads({ allowRead: [link],
      denyRead: [join(folder, 'data/d')] }, path), '');
  }
});

test('a folder that may not be written in is not', () => {
  const path = join(work, 'src/new');

  assert.ok(!writes({ allowWrite: ['.'], denyWrite: ['src'] }, path));
  assert.ok(!existsSync(path));
  assert.ok(writes({ allowWrite: ['.'] }, path));
  assert.equal(readFileSync(path, 'utf8'), 'new\n');
});

test('srt\'s settings wall in as they are', () => {
  const settings = {
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: ['~'], allowRead: ['.'], allowWrite: ['.', 'gone'],
      denyWrite: ['src'] },
  };
  const { stdout, stderr } = run(settings,
    `cat '${home}/.ssh/id' keys/key; echo x > made; ` +
    'echo x >> .bashrc; echo x > src/x', { option: '--settings' });
  assert.equal(stdout, 'key\n', stderr);
  assert.equal(readFileSync(join(work, 'made'), 'utf8'), 'x\n');
  assert.equal(readFileSync(join(work, '.bashrc'), 'utf8'), 'rc\n');
  assert.ok(!existsSync(join(work, 'src/x')));
});

test('variables are there by name alone', () => {
  const { stdout } = run({ env: { A: 'a', HOME: null } }, 'env | sort');
  const names = stdout.trim().split('\n').map((line) => line.split('=')[0]);

  assert.ok(names.includes('A') && names.includes('PATH'));
  assert.deepEqual(names.filter((name) => ['SHELL', 'PWD', '_', 'OLDPWD', 'SHLVL',
    'A', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'TERM', 'USER'].indexOf(name) < 0), []);
});

test('a mistake starts nothing', () => {
  const { status, stderr } = run({ filesystem: { denyReads: ['~'] } },
    'echo started');
  assert.equal(status, 2);
  assert.match(stderr, /\/filesystem\/denyReads is not known; did you mean "denyRead"\?/);
});
