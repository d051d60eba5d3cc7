// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../js/build-tool.mjs',
    import.meta.url));
let directory;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cordon-build-'));
});
after(() => rm(directory, { recursive: true }));

/** Runs the script over a source; `{code, stderr, text}`. */
async function run(source, ...args) {
  const entry = path.join(directory, 'tool.ts');
  const out = path.join(directory, 'out.js');
  await rm(out, { force: true });
  await writeFile(entry, source);
  const { code, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, [script, entry, '-o', out, ...args],
        (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stderr }));
  });
  const text = await readFile(out, 'utf8').catch(() => undefined);
  return { code, stderr, text };
}

test('bundles TypeScript into one module', async () => {
  await writeFile(path.join(directory, 'lib.ts'),
      'export const twice = (n: number): number => n * 2;');
  const { code, text } = await run(`import { twice } from './lib';
    import { AsyncLocalStorage } from 'node:async_hooks';
    export const als = new AsyncLocalStorage();
    export default (input: { n: number }) => twice(input.n);`);
  assert.equal(code, 0);
  assert.match(text, /n \* 2/);
  assert.match(text, /from "node:async_hooks"/);
  assert.doesNotMatch(text, /sourceMappingURL/);
});

test('adds an inline source map when asked', async () => {
  const { text } = await run('export default 1;', '--sourcemap');
  assert.match(text, /sourceMappingURL=data:application\/json/);
});

test('says where the source is wrong', async () => {
  const { code, stderr, text } = await run('export default {\n  a b\n};');
  assert.deepEqual([code, text], [1, undefined]);
  assert.match(stderr, /tool\.ts:2:4/);
});

test('refuses modules that no cell has, with the importing line', async () => {
  const { code, stderr } = await run("\nimport fs from 'node:fs';\nfs.x();");
  assert.equal(code, 1);
  assert.match(stderr, /"node:fs" does not exist inside a cell/);
  assert.match(stderr, /tool\.ts:2/);
  const plain = await run("import fs from 'fs';\nfs.x();");
  assert.match(plain.stderr, /"fs" does not exist inside a cell/);
});

test('tells how it is used', async () => {
  const { code, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, [script, '--nonsense'],
        (error, stdout, stderr) => resolve({ code: error?.code, stderr }));
  });
  assert.equal(code, 2);
  assert.match(stderr, /--nonsense[^]*usage:/);
});
