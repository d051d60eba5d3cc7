// SPDX-License-Identifier: Apache-2.0

// Many at once, and many one after another: everyone gets their own answer,
// and nothing grows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, inParallel, valueOf } from '../lib/mcp.mjs';
import { openDescriptors, until } from '../lib/processes.mjs';
import { files } from './servers.mjs';

let host;

before(async () => {
  host = await Host.start({ files });
});

after(() => host.stop());

const add = async (i) =>
  valueOf(await callTool(host, 'plain', 'add', { a: i, b: 1 })).sum;

test('a hundred at once each get their own answer', async () => {
  const sums = await inParallel(2000, 100, add);
  assert.deepEqual(sums, sums.map((_, i) => i + 1));
});

test('a hundred that wait do not keep others waiting', async () => {
  let ended = 0;
  const waiting = inParallel(100, 100, async () => {
    const result = await callTool(host, 'plain', 'slow', { ms: 8000 });
    ended++;
    return result;
  });
  await until('all of them to be in flight', () =>
    host.log.filter((line) => line.includes('begins')).length >= 100);
  assert.equal(await add(41), 42);
  assert.equal(ended, 0, 'the call had to wait for one of the hundred');
  for (const result of await waiting) assert.equal(valueOf(result), 'slept');
});

test('no descriptor or process is left by 3,000 calls', async () => {
  await inParallel(300, 10, add);
  const [gateway] = host.processes('cordon-gateway');
  const settled = async () => {
    let last = -1;
    return until('the pool to be quiet', async () => {
      const now = openDescriptors(gateway.pid);
      const same = now === last;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return same && now;
    });
  };
  const before = await settled();
  await inParallel(3000, 10, add);
  const afterwards = await settled();
  assert.ok(afterwards <= before + 40,
    `descriptors of the gateway: ${before}, then ${afterwards}`);
});
