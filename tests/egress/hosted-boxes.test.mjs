// SPDX-License-Identifier: Apache-2.0

// Boxes of a host reach what was approved, by the host's egress.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { addBox, callBox } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { node, patience } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

let world;
let host;
let folder;

// A server whose one tool runs a command.
const SERVER = `
const { spawnSync } = require('node:child_process');
let rest = '';
const answers = {
  initialize: ({ protocolVersion }) => ({ protocolVersion,
    capabilities: { tools: {} }, serverInfo: { name: 'runs', version: '1' } }),
  'tools/list': () => ({ tools: [{ name: 'run', description: 'runs',
    inputSchema: { type: 'object' } }] }),
  'tools/call': ({ arguments: { words } }) => {
    const { status, stdout, stderr } = spawnSync(words[0], words.slice(1),
      { encoding: 'utf8', timeout: 30000 });
    return { content: [{ type: 'text',
      text: JSON.stringify({ status, stdout, stderr }) }] };
  },
};
process.stdin.on('data', (bytes) => {
  const lines = (rest + bytes).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) continue;
    const result = answers[method]?.(params);
    console.log(JSON.stringify({ jsonrpc: '2.0', id, ...result ? { result }
      : { error: { code: -32601, message: 'unknown' } } }));
  }
});
`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-hosted-'));
  writeFileSync(join(folder, 'server.cjs'), SERVER);
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.net', '45.83.7.3');
  await world.site('inner.acme.net', '10.0.0.5');
  host = await Host.start({ config: world.config(),
    files: { 'idle.js':
      'export default { name: "idle", version: "1", tools: {} };' } });
});
after(async () => {
  await host?.stop();
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const add = (name, network) => addBox(host, name,
  { command: [node, join(folder, 'server.cjs')],
    policy: { filesystem: { allowRead: [folder, dirname(node)] }, network } });

async function run(name, ...words) {
  const said = await callBox(host, name, 'run', { words });
  return typeof said === 'string' ? JSON.parse(said) : said;
}
const curl = (name, ...words) =>
  run(name, 'curl', '-sS', '--max-time', '20', ...words);
const direct = ['--noproxy', '*'];

test('a box reaches what its policy names', async () => {
  await add('one', { allowedDomains: ['*.acme.net'] });
  for (const how of [direct, []]) {
    for (const scheme of ['http', 'https']) {
      const { status, stdout, stderr } =
        await curl('one', ...how, `${scheme}://api.acme.net/text`);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, 'hello');
    }
  }
});

test('and nothing else', async () => {
  const other = await curl('one', ...direct, 'https://other.net/text');
  assert.match(other.stderr, /Could not resolve host/);
  assert.equal((await world.run(['curl', '-sS', 'http://inner.acme.net/text']))
    .stdout, 'hello');
  const inner = await curl('one', ...direct, 'http://inner.acme.net/text');
  assert.notEqual(inner.stdout, 'hello');
});

test('each server has rules of its own', async () => {
  await add('two', { allowedDomains: ['other.net'] });
  const own = await curl('two', ...direct, 'https://other.net/text');
  assert.equal(own.stdout, 'hello', own.stderr);
  const foreign = await curl('two', ...direct, 'https://api.acme.net/text');
  assert.match(foreign.stderr, /Could not resolve host/);
  assert.equal((await curl('one', 'https://api.acme.net/text')).stdout, 'hello');
});

test('requests are seen where a rule has a path', async () => {
  await add('three', { rules: [
    { url: 'https://api.acme.net/text/', methods: ['GET'] }] });
  const url = 'https://api.acme.net';
  const allowed = await curl('three', ...direct, `${url}/text/?say=yes`);
  assert.equal(allowed.stdout, 'yes', allowed.stderr);
  // Also who asks no variable where certificates are.
  const plain = await run('three', 'env', '-u', 'SSL_CERT_FILE', '-u', 'CURL_CA_BUNDLE',
    'curl', '-sS', '--max-time', '20', ...direct, `${url}/text/?say=yes`);
  assert.equal(plain.stdout, 'yes', plain.stderr);
  const denied = await curl('three', ...direct, `${url}/echo`);
  assert.doesNotMatch(denied.stdout, /"url"/);
  const posted = await curl('three', ...direct, '-d', 'x', `${url}/text/`);
  assert.doesNotMatch(posted.stdout, /hello/);
});

test('a box without a network has none', async () => {
  await add('none', undefined);
  const { status } = await curl('none', ...direct, 'https://api.acme.net/text');
  assert.equal(status, 6);
});

test('a port of the host is for no box of a host', async () => {
  await assert.rejects(add('local', { allowedDomains: ['localhost:5432'] }),
    /only `cordon wrap`/);
});

test('a new egress serves new boxes', async () => {
  const egress = treeOf(host.child.pid)
    .find(({ name }) => name === 'cordon-egress');
  process.kill(egress.pid, 'SIGKILL');
  await until('another egress', () => treeOf(host.child.pid)
    .some(({ name, pid }) => name === 'cordon-egress' && pid !== egress.pid));
  await until('a box that reaches', async () => {
    try {
      return (await curl('one', 'https://api.acme.net/text')).stdout === 'hello';
    } catch {
      return false; // it was told that the way out is not there
    }
  }, 30_000 * patience);
});
