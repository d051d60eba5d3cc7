// SPDX-License-Identifier: Apache-2.0

// A real cell, template and supervisor, with an egress that says what no egress
// should (fake-egress.c): the fetches end, the call goes on.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from '../lib/paths.mjs';

const PROGRAMS = ['cordon', 'cordon-bench', 'cordon-ctl', 'cordon-supervisor',
  'cordon-cell.so', 'cordon-platform.js'];

let folder;
let count = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-way-'));
  for (const name of PROGRAMS)
    copyFileSync(join(build, name), join(folder, name));
  copyFileSync(join(build, 'tests/proc/fake-egress'),
    join(folder, 'cordon-egress'));
  mkdirSync(join(folder, 'engine'));
  symlinkSync(join(build, 'engine/node'), join(folder, 'engine/node'));
  for (const name of [...PROGRAMS, 'cordon-egress'])
    chmodSync(join(folder, name), 0o755);
});
after(() => rmSync(folder, { recursive: true }));

// Runs a function as a tool, with egress; the report.
function run(fn, input = {}, { args = ['--net', 'h.acme.net'] } = {}) {
  count += 1;
  const file = join(folder, `tool-${count}.js`);
  writeFileSync(file, `const run = ${fn};\n`);
  let text;
  try {
    text = execFileSync(join(folder, 'cordon'), ['run', '--json',
      '--timeout-cpu', '5s', '--timeout', '20s', ...args, file,
      JSON.stringify(input)], { encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    text = error.stdout;
  }
  return JSON.parse(text);
}

test('a request comes as it was said', () => {
  const { result } = run(async () => (await fetch('http://h/echo', {
    method: 'PATCH', headers: { x: 'h\u00e9' } })).text());
  const [method, url, ...headers] = result.split('\0');
  assert.deepEqual([method, url], ['PATCH', 'http://h/echo']);
  assert.equal(headers.at(-1), ''); // each ends with its NUL
  // Bytes, not characters: what text() makes of 0xe9 alone.
  assert.equal(headers[headers.indexOf('x') + 1], 'h\ufffd');
});

test('what comes behind the end of a fetch is passed over', () => {
  const { result } = run(async () => {
    const first = await (await fetch('http://h/twice')).text();
    const second = await (await fetch('http://h/echo')).text();
    return [first, second].map((text) => text.split('\0')[1]);
  });
  assert.deepEqual(result, ['http://h/twice', 'http://h/echo']);
});

for (const path of ['garbage', 'foreign', 'too-long', 'no-end', 'odd', 'end']) {
  test(`/${path}: every fetch fails with a sentence, and the call goes on`, () => {
    const { ok, result } = run(async ({ path }) => {
      const code = async (url) => {
        try {
          return await (await fetch(url)).text();
        } catch (error) {
          return [error.name, error.cause.code, error.message];
        }
      };
      const other = code('http://h/silent');
      const own = await code(`http://h/${path}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return [own, await other, await code('http://h/echo')];
    }, { path });
    assert.equal(ok, true);
    for (const [name, code, message] of result) {
      assert.deepEqual([name, code], ['TypeError', 'INTERNAL']);
      assert.match(message, /the way out \(egress\) was (?:closed|cut off)/);
    }
  });
}

test('one that reads nothing holds up neither timers nor the answer', () => {
  const { result } = run(async () => {
    fetch('http://h/deaf').catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Far more than sockets and the queue of the cell hold.
    const uploads = Array.from({ length: 40 }, () => fetch('http://h/echo', {
      method: 'POST', body: new Uint8Array(200000) })
      .catch((error) => error.name));
    let ticks = 0;
    for (; ticks < 10; ticks++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    const controller = new AbortController();
    const aborted = fetch('http://h/echo', { signal: controller.signal })
      .catch((error) => error.name);
    controller.abort();
    return [ticks, uploads.length, await aborted];
  });
  assert.deepEqual(result, [10, 40, 'AbortError']);
});

test('more than may be open wait for others to end', () => {
  const { result } = run(async () => {
    const controller = new AbortController();
    const stalled = Array.from({ length: 64 }, () => fetch('http://h/silent',
        { signal: controller.signal }).catch((error) => error.name));
    const waiting = fetch('http://h/echo').then((response) => response.status);
    const first = await Promise.race([waiting, new Promise((resolve) =>
      setTimeout(resolve, 30, 'it waits'))]);
    controller.abort();
    return [first, await waiting, new Set(await Promise.all(stalled)).size];
  });
  assert.deepEqual(result, ['it waits', 200, 1]);
});

test('a pending fetch is something to wait for; without one nothing is', () => {
  const waits = run(() => fetch('http://h/silent'), {},
    { args: ['--net', 'h.acme.net', '--timeout', '300ms'] });
  assert.equal(waits.error.code, 'timeout');
  assert.match(waits.error.message, /time of this call is used up/);
  const never = run(async () => {
    await (await fetch('http://h/echo')).text();
    await new Promise(() => {});
  });
  assert.match(never.error.message, /can never happen/);
});

test('the end of a call cancels its fetches, also where cells are used again', () => {
  const tool = join(folder, 'again.js');
  writeFileSync(tool, `let calls = 0;
    async function run() {
      if (++calls === 1)
        fetch('http://h/silent').catch(() => {});
      return [calls, (await fetch('http://h/echo')).status];
    }`);
  const input = join(folder, 'again.json');
  writeFileSync(input, '{"tool":"again","input":{}}');
  const { stdout, stderr } = spawnSync(join(folder, 'cordon-bench'),
    ['--bundle', tool, '--json', input, '--reuse', '2', '--pool-max', '1',
      '--expect', '[1,200]', '--net', 'h.acme.net'],
    { input: 'ready\ncalls 6 20 1 0\n', encoding: 'utf8' });
  // Each call was the first of its cell: one that fetched is the last, too.
  const { calls, failed, failure } = JSON.parse(stdout.trim().split('\n').at(-1));
  assert.deepEqual([calls, failed, failure], [6, 0, '']);
  // The last ones may have ended with their host instead.
  assert.match(stderr, /^cancelled \d+$/m);
});

test('an egress that dies in the middle ends the call with a sentence', () => {
  const { ok, error } = run(() => fetch('http://h/die'));
  assert.equal(ok, false);
  assert.ok(['internal', 'exception'].includes(error.code), error.code);
});
