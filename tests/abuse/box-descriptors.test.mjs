// SPDX-License-Identifier: Apache-2.0

// The number of open files is the program's: the walls are built with what whoever
// started the box may have, however little that is, and however much is open.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cordon-descriptors-'));
const policy = join(folder, 'policy.json');
after(() => rmSync(folder, { recursive: true }));

for (const files of [5, 12, 99, 4096])
  for (const denials of ['none', 'files'])
    test(`a limit of ${files} open files holds, denials ${denials}`, () => {
      writeFileSync(policy, JSON.stringify({ limits: { files }, denials }));
      const { status, stdout, stderr } = spawnSync(cordon,
        ['wrap', '--policy', policy, '--', 'sh', '-c', 'ulimit -Hn; ulimit -Sn'],
        { encoding: 'utf8' });
      assert.equal(stdout, `${files}\n${files}\n`, stderr);
      assert.equal(status, 0);
    });

test('a box starts where few files may be opened', () => {
  const { status, stdout, stderr } = spawnSync('sh',
    ['-c', 'ulimit -n 24; exec "$@"', 'sh', cordon, 'wrap', '--', 'sh', '-c', 'ulimit -n'],
    { encoding: 'utf8' });
  assert.equal(stdout, '24\n', stderr);
  assert.equal(status, 0);
});

test('a box starts where thousands are open, and has none of them', () => {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', `
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
for i in range(5000): os.set_inheritable(os.open('/dev/null', os.O_RDONLY), True)
os.execv(sys.argv[1], sys.argv[1:])
`, cordon, 'wrap', '--', 'sh', '-c', 'echo /proc/$$/fd/*'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  // 0, 1, 2, and that of the folder while it is read.
  assert.ok(stdout.trim().split(' ').length <= 4, stdout);
});
