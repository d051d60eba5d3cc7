// SPDX-License-Identifier: Apache-2.0

// Promise: in a guarded folder nothing is made, changed or removed that a
// program outside obeys: dotfiles, hooks, settings of editors and agents. All
// else works there as without a guard. The control is the same in a folder that
// may be written without one.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, mkdtempSync,
  readFileSync, readdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { users, wrap } from '../lib/box.mjs';
import { build } from '../lib/paths.mjs';

const programs = resolve(build, 'tests/abuse/guard');
const folders = mkdtempSync(join(tmpdir(), 'cordon-guard-'));
chmodSync(folders, 0o755);
after(() => execFileSync('rm', ['-rf', folders])); // too deep for rmSync()

// A folder of the user's, with files in it; names with a slash at their end are
// folders.
function folder(user, files = {}) {
  const path = mkdtempSync(join(folders, 'work-'));
  const own = (name) => {
    if (users[user].uid !== undefined) {
      chownSync(name, users[user].uid, users[user].gid);
    }
  };
  own(path);
  for (const [name, text] of Object.entries(files)) {
    const file = join(path, name);
    if (name.endsWith('/')) mkdirSync(file);
    else writeFileSync(file, text);
    own(file);
  }
  return path;
}

const guarded = () => ['--profile', 'workspace'];
const open = (path) => ['--write', path];

function run(user, path, words, how = guarded, more = {}) {
  return wrap(user, [...how(path), '--', ...words],
    { cwd: path, timeout: 120_000, ...more });
}

function program(user, path, name, how, args = []) {
  copyFileSync(join(programs, `guard-${name}`), join(path, 'program'));
  chmodSync(join(path, 'program'), 0o755);
  return run(user, path, ['./program', ...args], how);
}

function tree(path) {
  return execFileSync('find', [path, '-mindepth', '1', '-printf',
    '%P %y %m %s %l\n'], { encoding: 'utf8' })
    .split('\n').filter((line) => !/^program /.test(line)).sort();
}

const precious = {
  '.env': 'mine\n',
  '.env2': 'mine\n',
  plain: 'plain\n',
  'sub/': '',
  'sub/.git/': '',
  'sub/.git/config': 'mine\n',
  'sub/.git/hooks/': '',
  'sub/.git/hooks/pre-commit': 'mine\n',
};

const git = {
  GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.org',
};
const gitWords = Object.keys(git).flatMap((name) => ['--env', name]);

for (const user of Object.keys(users)) {
  describe(`a guarded folder, as ${user}`, () => {
    test('keeps what others obey, whichever way it is tried', () => {
      const path = folder(user, precious);
      const { stdout, stderr } = program(user, path, 'plant', guarded);
      const lines = stdout.trim().split('\n');
      assert.equal(lines.length, 61, stdout + stderr);
      assert.deepEqual(lines.filter((l) => !/^(EACCES|EXDEV) /.test(l)), []);
      for (const [name, text] of Object.entries(precious)) {
        if (text === 'mine\n') {
          assert.equal(readFileSync(join(path, name), 'utf8'), text, name);
        }
      }
      assert.deepEqual(
        readdirSync(path).filter((name) => name.startsWith('.')).sort(),
        ['.env', '.env2']);
      assert.match(stderr, /make .*\.a1/);
    });

    test('control: each of those ways works without a guard', () => {
      const path = folder(user, precious);
      const { stdout } = program(user, path, 'plant', open);
      const lines = stdout.trim().split('\n');
      assert.equal(lines.length, 61);
      assert.deepEqual(lines.filter((line) => !/^done /.test(line)), []);
    });

    test('is to ordinary programs as any other', () => {
      const [one, other] = [guarded, open].map((how) => {
        const path = folder(user);
        const { stdout, code } = program(user, path, 'ordinary', how);
        assert.equal(code, 0);
        return { stdout: stdout.split('\n'), tree: tree(path) };
      });
      assert.ok(one.stdout.length > 150);
      assert.deepEqual(one.stdout, other.stdout);
      assert.deepEqual(one.tree, other.tree);
    });

    test('is not tricked by a path that changes meanwhile', () => {
      const path = folder(user);
      const { stdout } = program(user, path, 'race', guarded);
      assert.equal(stdout, 'never made; both ways were seen: yes\n');
      assert.throws(() => lstatSync(join(path, '..git')), { code: 'ENOENT' });
    });

    test('takes commits to a repository, and keeps its hooks', () => {
      const path = folder(user);
      const options = { ...users[user], cwd: path, encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: '/nonexistent', ...git } };
      execFileSync('git', ['init', '-q', '-b', 'main', '.'], options);
      execFileSync('git', ['commit', '-q', '--allow-empty', '-m', '0'],
        options);
      const { stdout, stderr, code } = wrap(user, [...guarded(),
        ...gitWords, '--', 'sh', '-c', `
          set -e
          echo 1 > file; git add file; git commit -q -m 1
          git checkout -q -b config; echo 2 > file; git commit -q -a -m 2
          git checkout -q main; git merge -q config; git tag t
          git stash -q || true; git gc -q
          git log --format=%s; git status --short; set +e
          git config core.hooksPath /tmp || echo no config
          echo x > .git/hooks/pre-commit || echo no hook
          git init -q new || echo no init
          git clone -q . copy || echo no clone
          git worktree add -q ../w2 || echo no worktree
          mkdir -p .git/hooks && rm -f .none && echo as ever`],
      { cwd: path, env: git });
      assert.equal(code, 0, stderr);
      assert.deepEqual(stdout.trim().split('\n'), ['2', '1', '0', 'no config',
        'no hook', 'no init', 'no clone', 'no worktree', 'as ever']);
      assert.equal(execFileSync('git', ['log', '--format=%s'], options),
        '2\n1\n0\n');
      assert.doesNotMatch(readFileSync(join(path, '.git/config'), 'utf8'),
        /hooksPath/);
      execFileSync('git', ['fsck', '--strict'], { ...options, stdio: 'pipe' });
    });

    test('is left without a trace of the guard', () => {
      const path = folder(user, { file: 'x' });
      const before = tree(path);
      assert.equal(run(user, path, ['sh', '-c',
        'mkdir .git .vscode; echo x > .bashrc; true']).code, 0);
      assert.deepEqual(tree(path), before);
    });

    test('npm installs packages into it, dotfiles of theirs and all', () => {
      const path = folder(user, {
        'package.json': '{"name":"x","version":"1.0.0","dependencies":' +
          '{"y":"file:y.tgz"}}',
        'package/': '',
        'package/package.json':
          '{"name":"y","version":"1.0.0","bin":"cli.js"}',
        'package/cli.js': '#!/usr/bin/env node\n',
        'package/.vscode/': '',
        'package/.vscode/settings.json': '{}',
      });
      execFileSync('tar', ['czf', 'y.tgz', 'package'], { cwd: path });
      rmSync(join(path, 'package'), { recursive: true });
      const { code, stderr } = wrap(user, ['--profile', 'node',
        ...guarded(), '--', 'npm', 'install', '--offline', '--no-audit',
        '--no-fund'], { cwd: path, timeout: 120_000,
        env: { PATH: process.env.PATH } });
      assert.equal(code, 0, stderr);
      for (const name of ['package-lock.json', 'node_modules/.bin/y',
        'node_modules/.package-lock.json',
        'node_modules/y/.vscode/settings.json']) {
        assert.ok(lstatSync(join(path, name)), name);
      }
    });
  });
}

test('control: the race is won against who looks and lets go on', () => {
  const path = folder(Object.keys(users)[0]);
  const { stdout } = spawnSync(join(programs, 'guard-race'), ['--naive'],
    { cwd: path, encoding: 'utf8', timeout: 120_000 });
  assert.equal(stdout, 'made; both ways were seen: yes\n');
});
