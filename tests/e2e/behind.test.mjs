// SPDX-License-Identifier: Apache-2.0

// Work that was put behind the answer goes on, whatever it logs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Host } from '../lib/host.mjs';
import { callTool, inParallel } from '../lib/mcp.mjs';

const CALLS = 20;

const behind = (work) => `
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  export default { tools: { go: { run(input, ctx) {
    ctx.waitUntil((async () => { await sleep(20); ${work} })());
    return 'answered';
  } } } };`;

const files = {
  'quick.js': behind(''),
  'quiet.js': behind('await sleep(10_000);'),
  'loud.js': behind(`console.log('one'); await sleep(100);
    console.error('two'); await sleep(10_000);`),
};

let host;

before(async () => { host = await Host.start({ files }); });
after(() => host.stop());

// How many more cells there are a second after so many calls.
async function lingering(server) {
  await callTool(host, server, 'go', {});
  const had = host.processes('cordon-cell').length;
  for (let i = 0; i < CALLS; i++) await callTool(host, server, 'go', {});
  await sleep(1000);
  return host.processes('cordon-cell').length - had;
}

test('a control: without such work no cell stays', async () => {
  assert.ok(await lingering('quick') < CALLS / 2);
});

for (const server of ['quiet', 'loud']) {
  test(`the cells of ${server} work on`, async () => {
    assert.ok(await lingering(server) >= CALLS - 2);
  });
}

test('work behind answers does not pile up without bound', async () => {
  await inParallel(400, 8, () => callTool(host, 'quiet', 'go', {}));
  await sleep(1000);
  const cells = host.processes('cordon-cell').length;
  assert.ok(cells < 250, `${cells} cells`);
  const { isError } = await callTool(host, 'quick', 'go', {});
  assert.ok(!isError);
});
