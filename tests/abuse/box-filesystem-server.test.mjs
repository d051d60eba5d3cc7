// SPDX-License-Identifier: Apache-2.0

// Promise: a server with known holes gives what its box holds, and no more. It
// is server-filesystem 2025.3.28 as it was published: CVE-2025-53110 (a folder
// whose name begins as an allowed one) and CVE-2025-53109 (links that lead out).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { root } from '../lib/paths.mjs';
import { Place, SECRET, USER, as, lay, runners, wrap } from './box.mjs';

const modules = join(root, 'tests/e2e/node_modules');
const program = join(modules, 'vulnerable-server-filesystem/dist/index.js');

// Tool calls, one after the other, of a server over its standard streams.
async function session(words, calls) {
  const [command, ...rest] = words;
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let id = 0;
  const send = (message) => child.stdin.write(`${JSON.stringify(message)}\n`);
  const ask = async (method, params) => {
    send({ jsonrpc: '2.0', id: ++id, method, params });
    const { value, done } = await lines.next();
    assert.ok(!done, `the server ended: ${stderr}`);
    const { result, error } = JSON.parse(value);
    assert.ok(result, JSON.stringify(error));
    return result;
  };
  const closed = new Promise((resolve) => { child.on('close', resolve); });
  try {
    await ask('initialize', { protocolVersion: '2024-11-05', capabilities: {},
      clientInfo: { name: 'attack', version: '1' } });
    send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const results = [];
    for (const [name, args] of calls)
      results.push(await ask('tools/call', { name, arguments: args }));
    return results;
  } finally {
    child.stdin.end();
    child.kill();
    await closed;
  }
}

// Beside the granted folder, one whose name begins as its name does.
async function decoys(uid) {
  const place = await Place.make(uid);
  mkdirSync(place.at('granted-evil'), { mode: 0o777 });
  lay(place.folder, { 'granted-evil/key': SECRET });
  return place;
}

const callsOf = (place) => [
  ['read_file', { path: place.at('granted-evil/key') }],
  ['read_file', { path: place.at('granted/planted') }],
  ['read_multiple_files', { paths: [place.at('granted-evil/key'),
    place.at('granted/planted')] }],
  ['list_directory', { path: place.at('granted-evil') }],
  ['search_files', { path: place.at('granted-evil'), pattern: 'key' }],
];

const words = (place) => [process.execPath, program, place.at('granted')];

const free = await decoys(USER);
const stolen = await session(['unshare', '--mount', '--',
  ...as(USER, words(free))], callsOf(free));
await free.end();

test('without the walls its holes give away what lies outside', () => {
  const texts = stolen.map(({ content }) => content[0].text);
  for (const text of texts.slice(0, 3)) assert.match(text, new RegExp(SECRET));
  for (const text of texts.slice(3)) assert.match(text, /key/);
});

for (const { name, uid } of runners) {
  describe(`in a box that ${name} started`, async () => {
    const place = await decoys(uid);
    after(() => place.end());
    const policy = ['--read', modules, '--write', place.at('granted')];

    test('they give nothing', async () => {
      const results = await session(wrap(uid, policy, words(place)), callsOf(place));
      for (const result of results)
        assert.doesNotMatch(JSON.stringify(result), new RegExp(SECRET));
      assert.ok(results[0].isError && results[1].isError, JSON.stringify(results));
    });

    test('what is granted is served', async () => {
      const [read, written] = await session(wrap(uid, policy, words(place)), [
        ['read_file', { path: place.at('granted/file') }],
        ['write_file', { path: place.at('granted/made'), content: 'made\n' }],
      ]);
      assert.match(read.content[0].text, /granted/);
      assert.ok(!written.isError, JSON.stringify(written));
      assert.equal(readFileSync(place.at('granted/made'), 'utf8'), 'made\n');
      assert.ok(existsSync(place.at('granted/made')));
    });
  });
}
