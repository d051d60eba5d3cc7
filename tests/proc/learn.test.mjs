// SPDX-License-Identifier: Apache-2.0

// `cordon learn`: what it proposes is what `cordon wrap` needs to run the same
// program, no more, and nothing that looks like a secret.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { users, wrap } from '../lib/box.mjs';
import { cordon } from '../lib/paths.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cordon-learn-'));
after(() => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o777);
for (const name of ['app/lib', 'data', 'data/.ssh', 'out'])
  mkdirSync(join(folder, name), { recursive: true });
chmodSync(join(folder, 'out'), 0o777);
for (let i = 0; i < 10; i++)
  writeFileSync(join(folder, `app/lib/${i}.txt`), `${i}`);
writeFileSync(join(folder, 'data/one.txt'), 'one');
writeFileSync(join(folder, 'data/two.txt'), 'two');
writeFileSync(join(folder, 'data/.ssh/id_rsa'), 'a key');

const script = `cat lib/*.txt ${folder}/data/one.txt;
  cat ${folder}/data/.ssh/id_rsa; cat ${folder}/missing;
  echo made > ${folder}/out/file; mount -t tmpfs x /tmp; true`;

function learn(user, words, home = '/nonexistent') {
  const { status, stdout, stderr } = spawnSync(cordon, ['learn', ...words], {
    ...users[user], encoding: 'utf8', timeout: 60_000,
    cwd: join(folder, 'app'),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home },
  });
  return { code: status, stdout, stderr };
}

for (const user of Object.keys(users)) {
  describe(`learning, as ${user}`, () => {
    const policy = join(folder, `out/${user.replace(' ', '-')}.json`);
    const command = ['--', 'sh', '-c', script];

    test('proposes what is missing, each line with its reason', () => {
      const { code, stderr } =
        learn(user, ['--json', '-o', policy, ...command]);
      assert.equal(code, 0, stderr);
      const { policy: proposal, reasons } =
        JSON.parse(stderr.split('\n').find((line) => line.startsWith('{"policy"')));
      assert.deepEqual(JSON.parse(readFileSync(policy, 'utf8')), proposal);
      assert.deepEqual(proposal.filesystem, {
        allowRead: [join(folder, 'app/lib'), join(folder, 'data/one.txt')],
        allowWrite: [join(folder, 'out')],
        denyRead: [join(folder, 'data/.ssh/id_rsa')],
      });
      const why = new Map(reasons.map((reason) => [reason.path, reason]));
      assert.match(why.get(join(folder, 'app/lib')).why, /read.*1\d places/);
      assert.match(why.get(join(folder, 'out')).why, /made in it/);
      assert.equal(
        why.get(join(folder, 'data/.ssh/id_rsa')).proposed, false);
      assert.match(stderr, /call +mount/);
      assert.ok(!existsSync(join(folder, 'out/file')),
        'nothing was written while learning');
    });

    test('and under that policy the program has it, and no more', () => {
      const { code, stdout, stderr } = wrap(user,
        ['--policy', policy, ...command], { cwd: join(folder, 'app') });
      assert.equal(code, 0);
      assert.match(stdout, /^0123456789one$/m);
      assert.doesNotMatch(stdout, /a key/);
      assert.match(stderr, /\.ssh\/id_rsa/);
      assert.equal(readFileSync(join(folder, 'out/file'), 'utf8'), 'made\n');
      rmSync(join(folder, 'out/file'));
      assert.doesNotMatch(
        wrap(user, ['--policy', policy, '--', 'cat',
          join(folder, 'data/two.txt')]).stdout, /two/);
    });

    test('with --grant one run reads all, but secrets', () => {
      const { code, stdout, stderr } = learn(user,
        ['--grant', '--read', join(folder, 'data/one.txt'), ...command]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^0123456789one$/m);
      assert.doesNotMatch(stdout, /a key/);
    });
  });
}

test('a home that is listed is not proposed as a whole', () => {
  const home = join(folder, 'data');
  for (const user of Object.keys(users)) {
    const { code, stdout, stderr } = learn(user, ['--json', '--grant', '--', 'sh', '-c',
      'ls ~ ~/.. >/dev/null; cat ~/one.txt'], home);
    assert.deepEqual([code, stdout], [0, 'one'], stderr);
    const { policy } = JSON.parse(stderr.split('\n').find((line) => line.startsWith('{"policy"')));
    assert.deepEqual(policy.filesystem, { allowRead: [join(home, 'one.txt')] });
  }
});

test('a program that cannot be found, and wrong options, are said', () => {
  const user = Object.keys(users)[0];
  const missing = learn(user, ['--', 'no-such-program']);
  assert.match(missing.stderr, /no-such-program/);
  assert.equal(learn(user, []).code, 2);
  assert.equal(learn(user, ['--no-such-option', 'true']).code, 2);
});
