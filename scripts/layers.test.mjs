// SPDX-License-Identifier: Apache-2.0

// The layer check finds what it is there to find.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const script = resolve(import.meta.dirname, 'layers.mjs');
const head = '/* SPDX-License-Identifier: Apache-2.0 */\n';

function complaintsOf(files) {
  const root = mkdtempSync(join(tmpdir(), 'cordon-layers-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, 'src', name)), { recursive: true });
      writeFileSync(join(root, 'src', name), text);
    }
    const { stderr, status } = spawnSync(process.execPath, [script],
      { env: { ...process.env, CORDON_ROOT: root }, encoding: 'utf8' });
    return { status, text: stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const accepts = (files) =>
  assert.deepEqual(complaintsOf(files), { status: 0, text: '' });

function refuses(files, pattern) {
  const { status, text } = complaintsOf(files);
  assert.equal(status, 1);
  assert.match(text, pattern);
}

test('a folder may include what its layer names', () =>
  accepts({ 'json/a.c': `${head}#include "base/err.h"\n#include <stdio.h>\n` }));

test('the supervisor may not include a parser', () =>
  refuses({
    'supervisor/a.c': `${head}#include "json/json.h"\n`,
    'json/json.h': `${head}#pragma once\n`,
  }, /a\.c:2: supervisor\/ may not include json\//));

test('a process may not include another', () =>
  refuses({
    'gateway/a.c': `${head}#include "zygote/zygote.h"\n`,
    'zygote/zygote.h': `${head}#pragma once\n`,
  }, /gateway\/ may not include zygote\//));

test('a room may include its folder, and the folder not the room', () => {
  accepts({
    'ctl/host/a.c': `${head}#include "ctl/a.h"\n#include "client/c.h"\n`,
    'ctl/a.h': `${head}#pragma once\n`,
    'client/c.h': `${head}#pragma once\n`,
  });
  refuses({
    'ctl/a.c': `${head}#include "ctl/host/a.h"\n`,
    'ctl/host/a.h': `${head}#pragma once\n`,
  }, /a\.c:2: ctl\/ may not include ctl\/host\//);
});

const map = (...rows) => ({ '../doc/ARCHITECTURE.md':
  ['| folder | is | may include |', '|---|---|---|', ...rows].join('\n') });

test('the map says what is enforced', () => {
  const rows = readFileSync(resolve(script, '../../doc/ARCHITECTURE.md'), 'utf8')
    .split('\n').filter((line) => line.startsWith('| `src/'));
  accepts({ ...map(...rows), 'base/a.c': head });
  const without = rows.filter((row) => !row.startsWith('| `src/egress`'));
  assert.equal(without.length, rows.length - 1);
  refuses({ ...map(...without), 'base/a.c': head }, /no row for src\/egress$/m);
  refuses({ ...map(...without, '| `src/egress` | it | wire, base, box, addr |'),
    'base/a.c': head }, /:\d+: src\/egress may include: addr, base, box, http, wire$/m);
});

test('a folder that no layer names is refused', () =>
  refuses({ 'util/a.c': head }, /no layer names/));

for (const call of ['socket(AF_UNIX, SOCK_STREAM, 0)', 'open(path,\n    O_RDONLY)',
  'accept(fd, NULL, NULL)', 'pipe(pair)', 'dup(fd)', 'fopen(path, "r")',
  'fcntl(fd, F_DUPFD, 3)', 'recvmsg(fd, &msg, 0)', 'memfd_create("x", 0)']) {
  test(`${call.replace(/\s+/g, ' ')} leaks a descriptor`, () =>
    refuses({ 'base/a.c': `${head}int f(void) { return ${call}; }\n` }, /a\.c:2: /));
}

for (const call of ['socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)',
  'open(f(path),\n    O_RDONLY | O_CLOEXEC)', 'fopen(path, "re")',
  'recvmsg(fd, &msg, MSG_CMSG_CLOEXEC)', 'fcntl(fd, F_DUPFD_CLOEXEC, 3)',
  'stream_open(fd)', 'ops->accept(fd)']) {
  test(`${call.replace(/\s+/g, ' ')} does not`, () =>
    accepts({ 'base/a.c': `${head}int f(void) { return ${call}; }\n` }));
}

test('a call in a comment or a text is none', () =>
  accepts({ 'base/a.c': `${head}/* pipe(pair) */\nconst char *a = "dup(fd)";\n` }));

test('a header without #pragma once, a file without licence', () => {
  refuses({ 'base/a.h': head }, /#pragma once/);
  refuses({ 'base/a.c': 'int a;\n' }, /SPDX/);
});
