// SPDX-License-Identifier: Apache-2.0

// Work that was put behind the answer goes on, whatever it logs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Host } from '../lib/host.mjs';
import { callTool, inParallel } from '../lib/mcp.mjs';
import { until } from '../lib/processes.mjs';

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

// Cells that neither wait nor serve: they only have work left behind answers.
async function lingering() {
  const response = await fetch(new URL('/metrics', host.url),
    { headers: host.headers });
  const text = await response.text();
  const gauge = (name) => Number(
    new RegExp(`^cordon_${name} (\\d+)$`, 'm').exec(text)[1]);
  return host.processes('cordon-cell').length -
    gauge('cells_waiting') - gauge('cells_busy');
}

async function callOften(server) {
  for (let i = 0; i < CALLS; i++) await callTool(host, server, 'go', {});
}

test('a control: without such work no cell stays', async () => {
  await callOften('quick');
  await until('the cells to end', async () => await lingering() <= 2);
});

for (const server of ['quiet', 'loud']) {
  test(`the cells of ${server} work on`, async () => {
    const before = await lingering();
    await callOften(server);
    // What must not happen has no event: past the moment when it would have.
    await sleep(500);
    assert.ok(await lingering() - before >= CALLS - 2,
      `${before} cells, then ${await lingering()}`);
  });
}

test('work behind answers does not pile up without bound', async () => {
  await inParallel(400, 8, () => callTool(host, 'quiet', 'go', {}));
  // Left alone, all 400 would work for 10 s.
  await until('the oldest to be ended', () =>
    host.processes('cordon-cell').length < 250, 4000);
  const { isError } = await callTool(host, 'quick', 'go', {});
  assert.ok(!isError);
});
