// SPDX-License-Identifier: Apache-2.0

// What is denied in a granted folder stays denied, wherever in the box that
// folder lies: in place of what the box itself is made of, too.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const isRoot = process.getuid() === 0;
const skip = isRoot ? false : 'only root may write below /var';
let folder, policy;

const run = (filesystem, command) => {
  writeFileSync(policy, JSON.stringify({ filesystem }));
  return spawnSync(cordon, ['wrap', '--policy', policy, '--', 'sh', '-c', command],
    { encoding: 'utf8', cwd: '/' });
};

before(() => {
  if (!isRoot) return;
  folder = mkdtempSync('/var/cordon-hidden-');
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'private/shown'), { recursive: true });
  writeFileSync(join(folder, 'private/key'), 'secret');
  writeFileSync(join(folder, 'private/shown/note'), 'note');
  writeFileSync(join(folder, 'file'), 'secret');
  policy = join(folder, 'policy.json');
});
after(() => {
  if (folder) rmSync(folder, { recursive: true });
});

test('with nothing denied, it is read', { skip }, () => {
  const { stdout } = run({ allowRead: ['/var'] },
    `cat ${folder}/private/key ${folder}/file`);
  assert.equal(stdout, 'secretsecret');
});

test('a folder and a file below /var are hidden', { skip }, () => {
  const { status, stdout, stderr } = run({ allowRead: ['/var'],
    denyRead: [join(folder, 'private'), join(folder, 'file')] },
  `ls ${folder}/private; cat ${folder}/file; echo done`);
  assert.equal(stdout, 'done\n', stderr);
  assert.equal(status, 0);
});

test('a grant in a hidden folder below /var is there, and nothing else', { skip }, () => {
  const { stdout, stderr } = run({ denyRead: [join(folder, 'private')],
    allowRead: ['/var', join(folder, 'private/shown')] },
  `ls ${folder}/private; cat ${folder}/private/shown/note`);
  assert.equal(stdout, 'shown\nnote', stderr);
});

test('what hides cannot be written to, in a writable folder either', { skip }, () => {
  const { stdout } = run({ allowWrite: [folder],
    denyRead: [join(folder, 'private'), join(folder, 'file')] },
  `echo x > ${folder}/private/x || echo refused; echo x >> ${folder}/file; true`);
  assert.equal(stdout, 'refused\n');
  assert.ok(!existsSync(join(folder, 'private/x')));
});

test('a home that covers what hides things changes nothing', { skip }, () => {
  writeFileSync(policy, JSON.stringify({ filesystem: {
    allowRead: [folder], denyRead: [join(folder, 'private')] } }));
  for (const HOME of ['/var', '/var/empty']) {
    const { stdout, stderr } = spawnSync(cordon, ['wrap', '--policy', policy, '--',
      'sh', '-c', `touch ~/planted; ls ${folder}/private; echo done`],
    { encoding: 'utf8', cwd: '/', env: { ...process.env, HOME } });
    assert.equal(stdout, 'done\n', stderr);
  }
});
