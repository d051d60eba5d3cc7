// SPDX-License-Identifier: Apache-2.0

// Clients that only speak stdio, through what joins them to a host: `cordon
// connect`, and npm's mcp-remote. And the Inspector's command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 }
  from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { cordon, node, root } from '../lib/paths.mjs';
import { startEverything } from '../lib/upstreams.mjs';

const run = promisify(execFile);
const module = (path) => resolve(root, 'tests/e2e/node_modules', path);
const info = { name: 'cordon-e2e', version: '1.0.0' };
const capabilities = { elicitation: {} };

let all;
const home = mkdtempSync(join(tmpdir(), 'cordon-home-'));
before(async () => { all = await startEverything(); });
after(async () => {
  const { exit, left } = await all.stop();
  rmSync(home, { recursive: true, force: true });
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

const textOf = ({ content = [] }) => content.map(({ text }) => text).join('');
const bearer = () => `Authorization: Bearer ${all.host.token}`;

const clients = {
  'sdk v1': {
    make: () => new ClientV1(info, { capabilities }),
    Transport: StdioV1,
    elicits: (client, handler) => client.setRequestHandler(ElicitRequestSchema, handler),
  },
  'client v2, legacy': {
    make: () => new ClientV2(info, { capabilities, versionNegotiation: { mode: 'legacy' } }),
    Transport: StdioV2,
    elicits: (client, handler) => client.setRequestHandler('elicitation/create', handler),
  },
  'client v2, modern': {
    make: () => new ClientV2(info,
      { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } }),
    Transport: StdioV2,
    elicits: (client, handler) => client.setRequestHandler('elicitation/create', handler),
    modern: true,
  },
};

// What each bridge is started as, for a server.
const bridges = {
  'cordon connect': (server) => ({ command: cordon, args: ['connect', server],
    env: { ...process.env, CORDON_STATE: join(all.host.folder, 'state') } }),
  'mcp-remote': (server) => ({ command: node, args: [module('mcp-remote/dist/proxy.js'),
    all.host.endpoint(server), '--allow-http', '--transport', 'http-only',
    '--header', bearer()],
  env: { ...process.env, MCP_REMOTE_CONFIG_DIR: home } }),
};

async function through(bridge, kind, server, use) {
  const client = kind.make();
  kind.elicits(client, () => ({ action: 'accept', content: { name: 'Ada' } }));
  const transport = new kind.Transport({ ...bridge(server), stderr: 'ignore' });
  await client.connect(transport);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

for (const [name, bridge] of Object.entries(bridges)) {
  describe(name, () => {
    for (const [called, kind] of Object.entries(clients)) {
      // mcp-remote itself speaks the older revisions only.
      if (kind.modern && name === 'mcp-remote') continue;
      for (const server of ['isolate', 'legacy']) {
        test(`${called}: lists, calls, is asked, and hears of progress (${server})`, () =>
          through(bridge, kind, server, async (client) => {
            const { tools } = await client.listTools();
            assert.ok(tools.some((one) => one.name === 'test_simple_text'));
            const call = (tool, options) => client.callTool({ name: tool, arguments: {} },
              ...kind.Transport === StdioV1 ? [undefined, options] : [options]);
            assert.equal(textOf(await call('test_simple_text')),
              'This is a simple text response for testing.');
            assert.equal(textOf(await call('test_input_required_result_elicitation')),
              'Hello, Ada!');
            const seen = [];
            await call('test_tool_with_progress',
              { onprogress: ({ progress }) => seen.push(progress) });
            // What is read together with the answer, the SDK's client over
            // stdio forgets whom to tell.
            assert.ok(seen.length > 0);
            assert.deepEqual(seen, [0, 50, 100].slice(0, seen.length));
          }));
      }
    }
  });
}

describe('cordon connect', () => {
  test('without a server joins to all of them', async () => {
    const kind = clients['sdk v1'];
    await through(() => ({ ...bridges['cordon connect'](''), args: ['connect'] }), kind,
      '', async (client) => {
        const { tools } = await client.listTools();
        for (const server of ['isolate', 'both', 'legacy', 'modern']) {
          assert.ok(tools.some(({ name }) => name === `${server}__test_simple_text`), server);
        }
      });
  });
});

describe('the Inspector\'s command line', () => {
  const inspector = module(
    '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const inspect = async (server, ...args) => {
    const { stdout } = await run(node, [inspector, '--cli',
      all.host.endpoint(server), '--transport', 'http', '--header', bearer(), ...args],
    { env: { ...process.env, HOME: home } });
    return JSON.parse(stdout);
  };

  for (const server of ['isolate', 'both', 'legacy']) {
    test(`lists and calls (${server})`, async () => {
      const { tools } = await inspect(server, '--method', 'tools/list');
      assert.ok(tools.some(({ name }) => name === 'test_echo'));
      const echo = await inspect(server, '--method', 'tools/call',
        '--tool-name', 'test_echo', '--tool-arg', 'nonce=hello');
      assert.equal(textOf(echo), 'hello');
      const { contents } = await inspect(server, '--method', 'resources/read',
        '--uri', 'test://static-text');
      assert.match(contents[0].text, /static text resource/);
      const { messages } = await inspect(server, '--method', 'prompts/get',
        '--prompt-name', 'test_prompt_with_arguments',
        '--prompt-args', 'arg1=a', 'arg2=b');
      assert.match(messages[0].content.text, /arg1='a', arg2='b'/);
    });
  }
});
