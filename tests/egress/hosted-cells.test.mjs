// SPDX-License-Identifier: Apache-2.0

// Cells of a host reach what their server was granted, by the host's egress; and
// they do so again when that has ended.

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
  run: ({ url }) => url === undefined ? 'nothing' : fetch(url).then((response) => response.text(),
    (error) => error.cause.code) } } }`;

before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.net', '45.83.7.3');
  host = await Host.start({ files: { 'one.js': TOOL, 'two.js': TOOL,
    'again.js': TOOL, 'none.js': TOOL }, config: { ...world.config(), servers: {
    one: { network: { allowedDomains: ['api.acme.net'] } },
    two: { network: { allowedDomains: ['other.net'] } },
    again: { reuse: 1000, pool_max: 1, network: {
      allowedDomains: ['api.acme.net'], requestsPerCall: 2 } } } } });
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

test('what a call may fetch is not used up by those before it', async () => {
  const said = [];
  for (let i = 0; i < 5; i += 1)
    said.push(await get('again', 'https://api.acme.net/text'));
  assert.deepEqual(said, Array(5).fill('hello'));
});

test('egress ends: what is under way fails, and others are made for the next',
    async () => {
      const of = (kind) => host.processes(kind).map(({ pid }) => pid);
      for (const server of ['one', 'none'])
        await get(server, 'https://api.acme.net/text');
      // A cell that would serve on, with a way out that leads nowhere.
      assert.equal(await get('again'), 'nothing');
      const before = of('cordon-template');
      const stalled = callTool(host, 'one', 'get',
        { url: 'https://api.acme.net/stall-head' });
      await until('the request to be there', async () =>
        (await world.requests()).some(({ url }) => url === '/stall-head'),
      20_000 * patience);
      const [former] = of('cordon-egress');
      process.kill(former, 'SIGKILL');
      assert.match(JSON.stringify(await stalled), /INTERNAL|internal/);
      for (const server of ['one', 'again'])
        await until(`a fetch of ${server} to go out again`, async () =>
          await get(server, 'https://api.acme.net/text')
            .catch(() => 'its cell ended') === 'hello', 20_000 * patience);
      assert.ok(!of('cordon-egress').includes(former));
      const after = of('cordon-template');
      // Who reaches nothing is not touched.
      assert.equal(before.filter((pid) => after.includes(pid)).length, 1);
    });
