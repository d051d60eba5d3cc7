// SPDX-License-Identifier: Apache-2.0

// Where a box cannot be built, the sentence says why, and nothing runs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const skip = process.getuid() === 0 ? false : 'only root can make these places';
const folder = mkdtempSync(join(tmpdir(), 'cordon-places-'));
after(() => rmdirSync(folder));

const user = 'setpriv --reuid 64321 --regid 64321 --clear-groups';
const places = {
  'without /proc, root': ['umount -l /proc; exec "$@"', /needs \/proc to be mounted/],
  'without /proc, a user': [`umount -l /proc; exec ${user} "$@"`, /needs \/proc to be mounted/],
  'in a user namespace of one id': ['exec unshare -r "$@"', /'unshare -r', rootless containers/],
  'in a chroot': [`mount --rbind / ${folder}; exec chroot ${folder} "$@"`, /in a chroot/],
  'without the right to map': ['exec setpriv --bounding-set -setuid,-setgid "$@"',
    /CAP_SETUID and CAP_SETGID/],
};

for (const [name, [command, sentence]] of Object.entries(places))
  test(`${name}, it is said what is missing`, { skip }, () => {
    const { status, stdout, stderr } = spawnSync('unshare',
      ['-m', 'sh', '-c', command, 'sh', cordon, 'wrap', '--', 'echo', 'ran'],
      { encoding: 'utf8' });
    assert.equal(stdout, '');
    assert.equal(status, 125, stderr);
    assert.match(stderr, sentence);
  });

test('in a new mount namespace alone, it runs', { skip }, () => {
  const { stdout } = spawnSync('unshare',
    ['-m', 'sh', '-c', 'exec "$@"', 'sh', cordon, 'wrap', '--', 'echo', 'ran'],
    { encoding: 'utf8' });
  assert.equal(stdout, 'ran\n');
});
