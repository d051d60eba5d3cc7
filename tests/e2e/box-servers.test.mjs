// SPDX-License-Identifier: Apache-2.0

// Servers of strangers as they come from the registry, each in a box, driven by
// the official client: over standard input and output by `cordon wrap`, and over
// HTTP, added to a host and approved.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { admin, boxesOf } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { cordon, patience, root } from '../lib/paths.mjs';
import { watchTree } from '../lib/processes.mjs';

const here = join(root, 'tests/e2e');
const modules = join(here, 'node_modules');
const nodeWords = (path, ...words) => [process.execPath, resolve(modules, path), ...words];

// What tests ask of a client.
function sessionOf(client, end) {
  return {
    client,
    call: async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args }, undefined,
        { timeout: 30_000 * patience });
      return { ...result, text: result.content?.map(({ text }) => text).join('\n') };
    },
    end,
  };
}

const newClient = () => new Client({ name: 'cordon-e2e', version: '1.0.0' });

// A client of what `words` start; nothing of it is left when it ends.
async function connect(words) {
  const [command, ...args] = words;
  const transport = new StdioClientTransport({ command, args,
    env: { PATH: process.env.PATH, HOME: homedir() }, stderr: 'pipe' });
  let stderr = '';
  transport.stderr.on('data', (text) => { stderr += text; });
  const client = newClient();
  try {
    await client.connect(transport, { timeout: 30_000 * patience });
  } catch (error) {
    throw new Error(`${error.message}: ${stderr}`, { cause: error });
  }
  const tree = watchTree(transport.pid);
  return sessionOf(client, async () => {
    tree.look();
    await client.close();
    assert.deepEqual(await tree.left(5000), []);
  });
}

// A client of a host that keeps the server in a box.
async function connectTo(host, name, grants, command) {
  const { read = [], write = [], env } = grants;
  const added = await admin(host, 'POST', '/servers', { name, kind: 'box', command,
    policy: { filesystem: { allowRead: [here, dirname(process.execPath), ...read],
      allowWrite: write }, ...env && { env } } });
  if (added.state !== 'approved')
    await admin(host, 'POST', `/servers/${name}/approve`, { digest: added.digest });
  const client = newClient();
  await client.connect(new StreamableHTTPClientTransport(
    new URL(`${host.url}/s/${name}/mcp`), { requestInit: { headers: host.headers } }),
  { timeout: 30_000 * patience });
  return sessionOf(client, () => client.close());
}

const boxed = ({ read = [], write = [], env = {} }, words) => [cordon, 'wrap',
  ...[here, ...read].flatMap((path) => ['--read', path]),
  ...write.flatMap((path) => ['--write', path]),
  ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
  '--', ...words];

let folder;
let host;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-servers-'));
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files/hello.txt'), 'hello\n');
  writeFileSync(join(folder, 'secret.txt'), 'secret\n');
  host = await Host.start({});
});
after(async () => {
  await host?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const names = async ({ client }) =>
  (await client.listTools()).tools.map(({ name }) => name);

// One server, as it is in a box; `use` tries what it is for.
function server(name, grants, words, use) {
  describe(name, () => {
    test('does its work by cordon wrap', async () => {
      const session = await connect(boxed(grants(), words()));
      try {
        await use(session);
      } finally {
        await session.end();
      }
    });

    test('does its work behind a host', async () => {
      const session = await connectTo(host, name.replaceAll(/[^a-z]+/g, '-')
        .replace(/^-/, ''), grants(), words());
      try {
        await use(session);
        assert.ok(boxesOf(host).length > 0);
      } finally {
        await session.end();
      }
    });
  });
}

server('server-filesystem', () => ({ write: [join(folder, 'files')] }),
  () => nodeWords('@modelcontextprotocol/server-filesystem/dist/index.js',
    join(folder, 'files')),
  async (session) => {
    assert.ok((await names(session)).includes('write_file'));
    const path = join(folder, 'files/new.txt');
    const { isError, text } = await session.call('write_file', { path, content: 'new\n' });
    assert.ok(!isError, text);
    assert.equal(readFileSync(path, 'utf8'), 'new\n');
    assert.match((await session.call('read_text_file',
      { path: join(folder, 'files/hello.txt') })).text, /hello/);
    assert.ok((await session.call('read_text_file',
      { path: join(folder, 'secret.txt') })).isError);
  });

server('server-memory', () => ({ write: [join(folder, 'files')],
  env: { MEMORY_FILE_PATH: join(folder, 'files/memory.jsonl') } }),
() => nodeWords('@modelcontextprotocol/server-memory/dist/index.js'),
async (session) => {
  await session.call('create_entities', { entities: [
    { name: 'Ada', entityType: 'person', observations: ['writes programs'] }] });
  assert.match((await session.call('search_nodes', { query: 'Ada' })).text, /writes programs/);
  assert.match(readFileSync(join(folder, 'files/memory.jsonl'), 'utf8'), /Ada/);
});

server('server-everything', () => ({}),
  () => nodeWords('@modelcontextprotocol/server-everything/dist/index.js', 'stdio'),
  async (session) => {
    const tools = await names(session);
    assert.ok(tools.includes('echo'), `${tools}`);
    assert.match((await session.call('echo', { message: 'are you there?' })).text,
      /are you there\?/);
    const environment = tools.find((name) => /env/i.test(name));
    const { text } = await session.call(environment);
    assert.doesNotMatch(text, /SSH_|npm_|SUDO/);
    assert.ok((await session.client.listPrompts()).prompts.length > 0);
    assert.ok((await session.client.listResources()).resources.length > 0);
  });

server('server-sequential-thinking', () => ({}),
  () => nodeWords('@modelcontextprotocol/server-sequential-thinking/dist/index.js'),
  async (session) => {
    const { isError, text } = await session.call('sequentialthinking', {
      thought: 'a box', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 });
    assert.ok(!isError, text);
  });

server('@playwright/mcp', () => ({}), () => nodeWords('@playwright/mcp/cli.js'),
  async (session) => {
    const tools = await names(session);
    assert.ok(tools.includes('browser_navigate'), `${tools}`);
  });

server('chrome-devtools-mcp', () => ({}),
  () => nodeWords('chrome-devtools-mcp/build/src/bin/chrome-devtools-mcp.js'),
  async (session) => {
    const tools = await names(session);
    assert.ok(tools.includes('navigate_page'), `${tools}`);
  });

server('fastmcp', () => ({}), () => [process.execPath, join(here, 'servers/fast.mjs')],
  async (session) => {
    assert.equal((await session.call('add', { a: 2, b: 40 })).text, '42');
  });

server('a Python server', () => ({}),
  () => ['/usr/bin/python3', join(here, 'servers/plain.py')],
  async (session) => {
    assert.match((await session.call('versions')).text, /^3\./);
    assert.equal((await session.call('scratch')).text, '42');
    const { isError, text } = await session.call('peek',
      { path: join(folder, 'secret.txt') });
    assert.ok(isError, text);
  });
