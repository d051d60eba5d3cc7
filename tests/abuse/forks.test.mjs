// SPDX-License-Identifier: Apache-2.0

// Promise: cells are forked from one heap, and no two share anything random,
// nor does one call see anything of another. Over 10,000 cells.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, inParallel, valueOf } from '../lib/mcp.mjs';

const CALLS = Number(process.env.CORDON_TEST_FORKS ?? 10_000);

const fresh = `
  let calls = 0;
  const seen = [];
  const atLoad = { random: Math.random(), uuid: crypto.randomUUID() };
  export default {
    name: 'fresh', version: '1.0.0',
    tools: {
      draw: {
        description: 'Draws, and leaves traces everywhere it can.',
        inputSchema: { type: 'object' },
        run({ secret }) {
          const before = {
            calls, seen: seen.length, global: typeof globalThis.trace,
            own: Object.keys(Object.prototype).length,
          };
          calls++;
          seen.push(secret);
          globalThis.trace = secret;
          Object.prototype.trace = secret;
          Array.prototype.push = () => 0;
          setTimeout(() => {}, 1_000_000);
          const bytes = crypto.getRandomValues(new Uint32Array(2));
          return {
            random: [Math.random(), Math.random()],
            uuid: crypto.randomUUID(),
            bytes: bytes.join('-'),
            now: performance.now(),
            before,
          };
        },
      },
    },
  };`;

let host;
let drawn;

before(async () => {
  host = await Host.start({ files: { 'fresh.js': fresh } });
  drawn = await inParallel(CALLS, 16, async (i) =>
    valueOf(await callTool(host, 'fresh', 'draw', { secret: `secret ${i}` })));
});

after(() => host.stop());

const distinct = (values) => new Set(values).size;

test(`Math.random never repeats in ${CALLS} cells`, () => {
  assert.equal(distinct(drawn.flatMap(({ random }) => random)), 2 * CALLS);
});

test('Math.random is uniform across cells', () => {
  const mean = drawn.reduce((sum, { random }) => sum + random[0], 0) / CALLS;
  // Six standard deviations of a mean of so many.
  assert.ok(Math.abs(mean - 0.5) < 6 * Math.sqrt(1 / 12 / CALLS), `${mean}`);
});

test('crypto.randomUUID never repeats, and is a version 4 UUID', () => {
  assert.equal(distinct(drawn.map(({ uuid }) => uuid)), CALLS);
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  for (const { uuid } of drawn) assert.match(uuid, form);
});

test('crypto.getRandomValues never repeats', () => {
  assert.equal(distinct(drawn.map(({ bytes }) => bytes)), CALLS);
});

test('every cell finds the state that the module was loaded with', () => {
  for (const { before: state } of drawn) {
    assert.deepEqual(state, { calls: 0, seen: 0, global: 'undefined', own: 0 });
  }
});

test('the clock begins with the call, not with the module', () => {
  for (const { now } of drawn) {
    assert.ok(now >= 0 && now < 10_000, `performance.now() was ${now}`);
  }
});

test('a control: in one process state and randomness go on', async () => {
  // The same module where nothing is forked: traces of one call are there in
  // the next, so that the tests above can fail.
  const source = fresh.replace('1_000_000', '1');
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  const { default: tool } = await import(url);
  const push = Array.prototype.push;
  try {
    tool.tools.draw.run({ secret: 1 });
    Array.prototype.push = push;
    const { before: state } = tool.tools.draw.run({ secret: 2 });
    assert.deepEqual(state, { calls: 1, seen: 1, global: 'number', own: 1 });
  } finally {
    Array.prototype.push = push;
    delete Object.prototype.trace;
    delete globalThis.trace;
  }
});
