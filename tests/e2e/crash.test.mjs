// SPDX-License-Identifier: Apache-2.0

// A process dies: what was in flight is answered with an error, and soon
// everything works again. And a polite end ends everything.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, post, valueOf } from '../lib/mcp.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { files } from './servers.mjs';

const bounded = (promise, ms, what) => Promise.race([promise,
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} took over ${ms} ms`)), ms).unref();
  })]);

const add = (host) => callTool(host, 'plain', 'add', { a: 2, b: 3 });

const isWell = (host) => until('the host to be well again', async () => {
  try {
    return valueOf(await add(host)).sum === 5;
  } catch {
    return false;
  }
}, 15_000 * patience);

// A call in flight: its tool has said so in the log. Wrapped, since a promise
// of a promise would be waited for.
async function startSlow(host) {
  const answer = post(host, 'plain', { jsonrpc: '2.0', id: 7,
    method: 'tools/call', params: { name: 'slow', arguments: { ms: 20_000 } } })
    .then(async (response) => ({ status: response.status, text: await response.text() }))
    .catch((error) => ({ error }));
  await until('the call to be in flight', () =>
    host.log.some((line) => line.includes('begins')));
  return { answer };
}

const kill = (host, kind) => {
  const victims = host.processes(kind);
  assert.ok(victims.length > 0, `there is no ${kind}`);
  for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  return victims;
};

describe('after kill -9 of', () => {
  let host;

  beforeEach(async () => {
    host = await Host.start({ files });
    await isWell(host);
  });

  afterEach(async () => {
    const { exit, left } = await host.stop();
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.deepEqual(left, [], 'processes were left behind');
  });

  for (const kind of ['cordon-template', 'cordon-zygote', 'cordon-cell']) {
    test(`${kind}: calls in flight end with an error, the next succeed`, async () => {
      const slow = await startSlow(host);
      kill(host, kind);
      const { status, text } =
        await bounded(slow.answer, 10_000 * patience, 'the answer');
      assert.match(text ?? '', /"isError":\s*true|"error"/, `status ${status}`);
      // Whoever killed it: it was not the call's doing.
      assert.doesNotMatch(text, /the memory of this call/);
      await isWell(host);
    });
  }

  test('cordon-gateway: its clients see the end, then it is back', async () => {
    const slow = await startSlow(host);
    const [{ pid }] = kill(host, 'cordon-gateway');
    await bounded(slow.answer, 10_000 * patience, 'the end of the connection');
    await isWell(host);
    assert.ok(host.processes('cordon-gateway').every((one) => one.pid !== pid));
    assert.match(host.log.join('\n'), /gateway/, 'the log says nothing of it');
  });

  test('the gateway again and again: no process piles up', async () => {
    for (let i = 0; i < 3; i++) {
      kill(host, 'cordon-gateway');
      await isWell(host);
    }
    await until('old cells to be gone', () =>
      host.processes('cordon-gateway').length === 1 &&
      host.processes('cordon-zygote').length === 1 &&
      host.processes('cordon-template').length <= 2);
  });
});

describe('SIGTERM', () => {
  test('drains: a call in flight is answered before the end', async () => {
    const host = await Host.start({ files });
    const call = callTool(host, 'plain', 'slow', { ms: 700 });
    await until('the call to be in flight', () =>
      host.log.some((line) => line.includes('begins')));
    const stopped = host.stop();
    assert.equal(valueOf(await call), 'slept');
    const { exit, left } = await bounded(stopped, 10_000 * patience, 'the end');
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.deepEqual(left, []);
  });

  test('kill -9 of the front command takes everything with it', async () => {
    const host = await Host.start({ files });
    await add(host);
    const { left } = await host.stop('SIGKILL');
    assert.deepEqual(left.map(({ name, title }) => `${name} ${title}`), []);
  });

  test('kill -9 of the supervisor ends the host, and leaves nothing', async () => {
    const host = await Host.start({ files });
    await add(host);
    kill(host, 'cordon-supervisor');
    const exit = await bounded(host.ended, 10_000 * patience, 'the end');
    assert.notEqual(exit.code, 0);
    const { left } = await host.stop();
    assert.deepEqual(left.map(({ name, title }) => `${name} ${title}`), []);
  });
});
