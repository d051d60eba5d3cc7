// SPDX-License-Identifier: Apache-2.0

// The official clients, old and new, against every kind of server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 }
  from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 }
  from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Host } from '../lib/host.mjs';
import { valueOf } from '../lib/mcp.mjs';
import { bundleNames, bundlesFolder, files } from './servers.mjs';

const info = { name: 'cordon-e2e', version: '1.0.0' };
const MODERN = '2026-07-28';

const clients = {
  'sdk v1': { make: () => new ClientV1(info), Transport: TransportV1 },
  'client v2, legacy': {
    make: () => new ClientV2(info, { versionNegotiation: { mode: 'legacy' } }),
    Transport: TransportV2,
  },
  'client v2, auto': {
    make: () => new ClientV2(info, { versionNegotiation: { mode: 'auto' } }),
    Transport: TransportV2,
  },
  'client v2, modern': {
    make: () => new ClientV2(info, { versionNegotiation: { mode: { pin: MODERN } } }),
    Transport: TransportV2,
    modern: true,
  },
};

// Only these bundles speak the modern revision; the host's own servers do.
const speaksModern = (server) => server === 'plain' || /v2/.test(server);

let host;

before(async () => {
  assert.ok(bundleNames.length > 0, `no bundles in ${bundlesFolder}`);
  host = await Host.start({ servers: [bundlesFolder], files });
});

after(async () => {
  const { exit, left } = await host.stop();
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.deepEqual(left, []);
});

async function withClient({ make, Transport }, server, use) {
  const client = make();
  const transport = new Transport(new URL(host.endpoint(server)),
    { requestInit: { headers: host.headers } });
  await client.connect(transport);
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

const textOf = (result) =>
  (result.content ?? []).map((one) => one.text).join('');

async function addsAndEchoes(client) {
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  assert.ok(names.includes('add') && names.includes('echo'), names.join());
  const sum = await client.callTool({ name: 'add', arguments: { a: 19, b: 23 } });
  assert.ok(!sum.isError, textOf(sum));
  assert.match(textOf(sum), /\b42\b/);
  const text = 'Grüße, 世界 \u{1f30d} "quoted" \\ </script>';
  const echo = await client.callTool({ name: 'echo', arguments: { text } });
  assert.ok(!echo.isError, textOf(echo));
  assert.ok(textOf(echo).includes(text) ||
    JSON.stringify(textOf(echo)).includes(text) ||
    valueOf(echo) === text, textOf(echo));
}

for (const [name, kind] of Object.entries(clients)) {
  describe(`${name}`, () => {
    for (const server of ['plain', ...bundleNames]) {
      if (kind.modern && !speaksModern(server)) continue;
      test(`lists and calls the tools of ${server}`, () =>
        withClient(kind, server, addsAndEchoes));
    }

    test('learns who the server is', () =>
      withClient(kind, 'plain', async (client) => {
        const { name: called, version } = client.getServerVersion();
        assert.deepEqual([called, version], ['plain', '1.2.3']);
        assert.equal(client.getInstructions(), 'Adds and echoes.');
      }));

    test('gets structured content beside the text', () =>
      withClient(kind, 'plain', async (client) => {
        await client.listTools();
        const result = await client.callTool(
          { name: 'add', arguments: { a: 1, b: 2 } });
        assert.deepEqual(result.structuredContent, { sum: 3 });
        assert.deepEqual(JSON.parse(textOf(result)), { sum: 3 });
      }));

    test('gets a tool\'s own failure as a tool error', () =>
      withClient(kind, 'plain', async (client) => {
        const result = await client.callTool({ name: 'fail', arguments: {} });
        assert.equal(result.isError, true);
        assert.match(textOf(result), /it was asked to fail/);
      }));

    test('gets a time-out as a tool error that says so', () =>
      withClient(kind, 'plain', async (client) => {
        const result = await client.callTool({ name: 'spin', arguments: {} });
        assert.equal(result.isError, true);
        assert.match(textOf(result), /timeout|time-out|CPU/i);
      }));

    test('is told of a tool that does not exist', () =>
      withClient(kind, 'plain', async (client) => {
        const answer = await client
          .callTool({ name: 'no_such_tool', arguments: {} })
          .catch((error) => ({ isError: true,
            content: [{ text: error.message }] }));
        assert.equal(answer.isError, true);
        assert.match(textOf(answer), /no_such_tool/);
      }));
  });
}
