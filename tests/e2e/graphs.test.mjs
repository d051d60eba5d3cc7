// SPDX-License-Identifier: Apache-2.0

// Bundles of several files, honest and not.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cordonRun } from '../lib/run.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cordon-graphs-'));
after(() => rmSync(folder, { recursive: true }));

let count = 0;

function bundle(files) {
  const path = join(folder, `${++count}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, name), text);
  }
  return path;
}

async function run(files) {
  const { report, left } = await cordonRun(bundle(files));
  assert.deepEqual(left, []);
  return report;
}

async function refused(files, message) {
  const { error } = await run(files);
  assert.equal(error.code, 'load_error');
  assert.match(error.message, message);
}

test('import() of what imports the module that is being evaluated', async () => {
  const { result } = await run({
    'index.js': `import { later } from './b.js'; export const x = 7;
      export default async () => (await later).read();`,
    'b.js': 'export const later = import("./c.js");',
    'c.js': 'import { x } from "./index.js"; export const read = () => x;',
  });
  assert.equal(result, 7);
});

test('modules that wait for each other are refused', () => refused({
  'index.js': 'import "./b.js"; export default () => 1;',
  'b.js': 'await import("./c.js");',
  'c.js': 'import "./b.js"; await import("./index.js");',
}, /top-level await can never settle/));

test('a cycle of stars ends', async () => {
  const { result } = await run({
    'index.js': `export * from './a.js'; import * as all from './a.js';
      export default () => Object.keys(all);`,
    'a.js': 'export * from "./index.js"; export const q = 1;',
  });
  assert.deepEqual(result, ['q']);
});

test('a JSON file keeps odd members', async () => {
  const { result } = await run({
    'index.js': 'import d from "./d.json" with { type: "json" }; export default () => d;',
    'd.json': '{"__proto__":{"x":1},"default":3,"then":1}',
  });
  assert.equal(JSON.stringify(result), '{"__proto__":{"x":1},"default":3,"then":1}');
});

test('a JSON file that is none is named', () => refused({
  'index.js': 'import d from "./d.json"; export default () => d;',
  'd.json': '{bad',
}, /^d\.json is not JSON: Expected/));

test('a link out of the bundle is no part of it', async () => {
  const path = bundle({ 'index.js': 'import "./l.js"; export default () => 1;' });
  symlinkSync('/etc/passwd', join(path, 'l.js'));
  const { report } = await cordonRun(path);
  assert.equal(report.error.code, 'usage');
  assert.match(report.error.message, /l\.js is a symbolic link/);
});
