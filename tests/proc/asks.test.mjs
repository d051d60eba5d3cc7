// SPDX-License-Identifier: Apache-2.0

// Cells that speak in the middle of their calls, over the real supervisor and
// engine; cordon-bench plays the gateway and the client that is asked.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build, patience } from '../lib/paths.mjs';

let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-asks-'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const CAN = { elicitation: {}, sampling: {}, roots: {} };

// Makes `calls` of a tool whose handler is `body`, one after the other; every
// ask of it is answered with `answer`. What cordon-bench says of it.
async function play(body, { calls = 1, answer = { result: { n: 1 } },
  expect = '"done"', ...options } = {}) {
  const file = (name, text) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const args = Object.entries({
    bundle: file('tool.js', 'let kept;\nexport default { tools: { t: {\n' +
        `async run(input, ctx) { ${body} } } } }\n`),
    json: file('call.json', JSON.stringify({ tool: 't', input: {},
      ctx: { can: CAN, progress: true } })),
    answer: file('answer.json', JSON.stringify(answer)),
    expect, ...options,
  }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  return new Promise((resolve, reject) => {
    const child = execFile(join(build, 'cordon-bench'), args,
      { timeout: 60_000 * patience }, (error, stdout, stderr) => {
        if (error !== null) reject(new Error(`${error.message}${stderr}`));
        else resolve(JSON.parse(stdout.trim().split('\n').at(-1)));
      });
    child.stdin.end(`calls ${calls} 60 1 0\n`);
  });
}

function succeeded(said) {
  assert.equal(said.failed, 0, said.failure);
  return said;
}

test('asks one after the other, and several at once', async () => {
  const said = succeeded(await play(`
    for (let i = 0; i < 5; i++)
      if ((await ctx.listRoots()).n !== 1) return 'wrong';
    const all = await Promise.all([ctx.listRoots(), ctx.sample({}),
      ctx.elicit({ message: '' })]);
    ctx.progress(1);
    return all.length === 3 ? 'done' : 'wrong';`, { calls: 20 }));
  assert.equal(said.asks, 20 * 8);
  assert.equal(said.notes, 20);
});

test('timers and answers are waited for together', async () => {
  // The answers come late: the timers must not wait for them, nor they for it.
  const said = succeeded(await play(`
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    await ctx.listRoots();
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return fired > 0 ? 'done' : 'no timer fired';`,
  { 'answer-after': 60 }));
  assert.equal(said.waits, 0); // a timer was always there
});

test('the wall clock stands still for a client that takes its time',
    async () => {
      const said = succeeded(await play(`
        await ctx.elicit({ message: '' });
        await ctx.elicit({ message: '' });
        return 'done';`, { 'answer-after': 700, 'wall-ms': 500 }));
      assert.equal(said.waits, 2);
    });

test('a pending timer keeps the wall clock going', async () => {
  const said = await play(`setTimeout(() => {}, 100000);
    await ctx.elicit({ message: '' });
    return 'done';`, { 'answer-after': 5000, 'wall-ms': 300 });
  assert.match(said.failure, /timeout: .*the time of this call is used up/);
});

test('what can never happen is still found out, beside open asks', async () => {
  const said = await play(`await ctx.listRoots();
    await new Promise(() => {});`);
  assert.match(said.failure, /timeout: .*waits for something that can never/);
});

test('an ask that is open when the answer goes out holds up nobody',
    async () => {
      succeeded(await play(`ctx.listRoots(); return 'done';`,
          { calls: 50, 'answer-after': 3 }));
    });

test('a cell that is used again takes no old answer for a new one',
    async () => {
      // Each call leaves an ask open, whose answer meets the next call.
      const said = succeeded(await play(`
        kept = (kept ?? 0) + 1;
        ctx.sample({ left: 'open' });
        ctx.sample({ left: 'open' });
        const answer = await Promise.race([ctx.listRoots(),
          new Promise((resolve) => setTimeout(resolve, 2, { n: 1 }))]);
        return answer.n === 1 ? 'done' : 'wrong';`,
      { calls: 200, reuse: 50, 'answer-after': 1 }));
      assert.equal(said.calls, 200);
    });

test('a long answer is read whole, in any pieces', async () => {
  succeeded(await play(`
    const [a, b] = await Promise.all([ctx.listRoots(), ctx.listRoots()]);
    return a.text.length === 3000000 && b.text === a.text ? 'done' : 'wrong';`,
  { answer: { result: { text: 'x'.repeat(3_000_000) } } }));
});

test('an answer that is no JSON, or none, rejects', async () => {
  for (const answer of [5, 'text', null, {}, { error: { code: 1 } }]) {
    succeeded(await play(`try { await ctx.listRoots(); } catch {
      return 'done'; } return 'wrong';`, { answer }));
  }
});

test('a thousand asks at once are sixteen, and the host serves on',
    async () => {
      const said = succeeded(await play(`
        const all = await Promise.allSettled(Array.from({ length: 1000 },
          () => ctx.sample({})));
        const got = all.filter(({ status }) => status === 'fulfilled').length;
        return got === 16 ? 'done' : 'got ' + got;`, { calls: 3 }));
      assert.equal(said.asks, 48);
    });

test('asking for ever ends with the CPU time', async () => {
  const said = await play('for (;;) await ctx.listRoots();',
      { 'wall-ms': 600_000 });
  assert.match(said.failure, /timeout: .*CPU time/);
});

test('notes without end are cut, and the call goes on', async () => {
  const said = succeeded(await play(`
    const message = 'x'.repeat(1000);
    for (let i = 0; i < 2000; i++) ctx.progress(i, 2000, message);
    return 'done';`));
  assert.ok(said.notes > 100 && said.notes < 300, `${said.notes} notes`);
});
