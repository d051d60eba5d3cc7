// SPDX-License-Identifier: Apache-2.0

// How the gateway ends, and starts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from '../lib/paths.mjs';
import { Gateway, head, statusOf } from './fake-gateway.mjs';

test('SIGTERM: no new clients, what is in flight is answered, exit 0', async () => {
  const gateway = await Gateway.start();
  const idle = gateway.open(head('GET /healthz HTTP/1.1'));
  await gateway.until(() => idle.soFar().includes('ok'));
  const stream = gateway.open(head('GET /s/fetch/stream HTTP/1.1'));
  await gateway.until(() => stream.soFar().includes('event-stream'));
  const call = gateway.call('slow');
  await gateway.until(async () => await gateway.metric('calls_total') === 2);
  const stopped = gateway.stop();
  await gateway.until(() => gateway.log.includes('draining'));
  assert.deepEqual(statusOf(await gateway.raw(head('GET /healthz HTTP/1.1'))), []);
  assert.equal((await call).result.content[0].text, 'slow');
  assert.equal((await stream.answer).split('tick').length, 5);
  await idle.answer;
  assert.equal(await stopped, 0);
  assert.match(gateway.log, /drained/);
});

test('SIGTERM: who never ends is cut in the end', { timeout: 30_000 }, async () => {
  const gateway = await Gateway.start();
  const { answer } = gateway.open(head('GET /s/fetch/hang HTTP/1.1'));
  await gateway.until(async () => await gateway.metric('cells_busy') === 1);
  const began = Date.now();
  assert.equal(await gateway.stop(), 0);
  assert.ok(Date.now() - began > 9000);
  assert.match(gateway.log, /1 requests were cut/);
  assert.equal(await answer, '');
});

test('without authentication when told so', async () => {
  const gateway = await Gateway.start('-n');
  const response = await fetch(`http://127.0.0.1:${gateway.port}/metrics`);
  assert.equal(response.status, 200);
  await response.text();
  assert.equal(await gateway.stop(), 0);
});

test('it says what it lacks', () => {
  const fake = join(build, 'tests/unit/gateway/fake-gateway');
  for (const args of [[], ['--plan', 'x'], ['--plan', '0', '--supervisor', '1', 'more']]) {
    const { status, stderr } = spawnSync(fake, args, { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /usage: cordon-gateway --plan FD --supervisor FD/);
  }
  const { status, stderr } = spawnSync(fake, ['--plan', '99', '--supervisor', '1'], { encoding: 'utf8' });
  assert.equal(status, 70);
  assert.match(stderr, /cannot read the plan/);
});
