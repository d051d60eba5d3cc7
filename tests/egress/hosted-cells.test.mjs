// SPDX-License-Identifier: Apache-2.0

// Cells of a host reach what their server was granted, by the host's egress; and
// they go on when that ends.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, valueOf } from '../lib/mcp.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

let world;
let host;

const TOOL = `export default { tools: { get: {
  inputSchema: { type: 'object' },
  run: ({ url }) => fetch(url).then((response) => response.text(),
    (error) => error.cause.code) } } }`;

before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.net', '45.83.7.3');
  host = await Host.start({ files: { 'one.js': TOOL, 'two.js': TOOL,
    'none.js': TOOL }, config: { ...world.config(), servers: {
    one: { network: { allowedDomains: ['api.acme.net'] } },
    two: { network: { allowedDomains: ['other.net'] } } } } });
});
after(async () => {
  await host?.stop();
  await world?.stop();
});

const get = async (server, url) =>
  valueOf(await callTool(host, server, 'get', { url }));

test('each server reaches its own, and nobody else\'s', async () => {
  const said = [];
  for (const server of ['one', 'two', 'none'])
    said.push([await get(server, 'https://api.acme.net/text'),
      await get(server, 'https://other.net/text')]);
  assert.deepEqual(said, [['hello', 'NO_RULE'], ['NO_RULE', 'hello'],
    ['NO_EGRESS', 'NO_EGRESS']]);
});

test('egress ends: templates stay, and the next one has their channels',
    async () => {
      await get('one', 'https://api.acme.net/text');
      const templates = () => host.processes('cordon-template')
        .map(({ pid }) => pid).sort();
      const before = templates();
      const stalled = get('one', 'https://api.acme.net/stall-head');
      await until('the request to be there', async () =>
        (await world.requests()).some(({ url }) => url === '/stall-head'),
      20_000 * patience);
      const [{ pid }] = host.processes('cordon-egress');
      process.kill(pid, 'SIGKILL');
      assert.equal(await stalled, 'INTERNAL');
      await until('another egress', () =>
        host.processes('cordon-egress').some((one) => one.pid !== pid),
      20_000 * patience);
      // Cells that waited with a stream to the former one fail once each.
      let text = '';
      await until('a fetch to go out again', async () => {
        text = await get('one', 'https://api.acme.net/text');
        return text === 'hello';
      }, 20_000 * patience);
      assert.deepEqual(templates(), before);
    });
