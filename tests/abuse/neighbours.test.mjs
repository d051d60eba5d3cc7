// SPDX-License-Identifier: Apache-2.0

// Promise: an honest call in flight never notices how its neighbours end.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, inParallel, rpc, valueOf } from '../lib/mcp.mjs';
import { root } from '../lib/paths.mjs';

const hostile = ['cpu/loop', 'cpu/regexp', 'cpu/microtasks', 'cpu/to-json',
  'memory/objects', 'memory/array-buffers', 'memory/resizable',
  'stack/recursion', 'results/too-large', 'results/throws-revoked',
  'logs/forever', 'escape/process'];

// What a flood costs before it is ended is bounded by the CPU limit too: the
// floods get as much as they need to hit the memory limit.
const config = { limits: { cpu: '300ms' } };

const honest = `
  export default {
    name: 'honest', version: '1.0.0',
    tools: {
      work: {
        description: 'Some honest work.',
        inputSchema: { type: 'object' },
        async run({ i }) {
          let sum = 0;
          for (let n = 0; n < 100_000; n++) sum += n % 7;
          await new Promise((resolve) => setTimeout(resolve, 5));
          return { i, sum };
        },
      },
    },
  };`;

const nameOf = (path) => path.replace('/', '-');

let host;

before(async () => {
  const files = { 'honest.js': honest };
  for (const path of hostile) {
    files[`${nameOf(path)}.js`] =
      readFileSync(resolve(root, 'tests/abuse', `${path}.js`), 'utf8');
  }
  host = await Host.start({ files, config });
});

after(async () => {
  const { exit, left } = await host.stop();
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.deepEqual(left, []);
});

test('every honest call succeeds while hostile ones end all around', async () => {
  const ends = new Map();
  let over = false;
  const attackers = hostile.map(async (path) => {
    const name = nameOf(path);
    do {
      const { result, error } = await rpc(host, name, 'tools/call',
        { name, arguments: {} });
      assert.ok(result ?? error, `${name} got no answer`);
      ends.set(name, JSON.stringify(result ?? error).slice(0, 300));
    } while (!over);
  });
  const answers = await inParallel(400, 4, (i) =>
    callTool(host, 'honest', 'work', { i }));
  over = true;
  await Promise.all(attackers);

  answers.forEach((answer, i) => {
    assert.ok(!answer.isError, `call ${i}: ${JSON.stringify(answer)}`);
    assert.deepEqual(valueOf(answer), { i, sum: 299995 });
  });
  for (const path of hostile) {
    const name = nameOf(path);
    const expected = path === 'escape/process' ? /"in"|\bin\b/ : /timeout|memory|stack|exception|too_large/i;
    assert.match(ends.get(name), expected, name);
  }
});
