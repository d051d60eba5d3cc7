// SPDX-License-Identifier: Apache-2.0

// Clients that never say goodbye: ten thousand sessions, opened, used and
// forgotten. No process stays for one, and few bytes do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { inParallel } from '../lib/mcp.mjs';
import { Session } from '../lib/session.mjs';
import { treeOf } from '../lib/processes.mjs';
import { startEverything } from '../lib/upstreams.mjs';

const SESSIONS = 10_000;
const BYTES_EACH = 1024; // that a record may take, and its share of tables
const SLACK = 4 << 20; // what an allocator keeps after any crowd

let all;
let host;
before(async () => {
  all = await startEverything({ config: { sessions: { per_principal: SESSIONS } } });
  host = all.host;
});
after(async () => {
  const { exit, left } = await all.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

const gatewayBytes = () => {
  const [{ pid }] = host.processes('cordon-gateway');
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
};

const processes = () => treeOf(host.child.pid).map(({ name }) => name)
  .filter((name) => name !== 'cordon-cell').sort();

// Some of them are used, too.
async function abandon(i) {
  const server = i % 50 === 0 ? 'isolate' : 'legacy';
  const session = await Session.open(host.endpoint(server), host.headers);
  if (i % 10 === 0) {
    const { result } = await session.call('test_echo', { nonce: `nonce ${i}` });
    assert.equal(result.content[0].text, `nonce ${i}`);
  }
  return session;
}

test(`${SESSIONS} abandoned sessions leave no process and few bytes`, async (t) => {
  const crowd = (count) => inParallel(count, 32, abandon);
  await crowd(500);
  const before = { bytes: gatewayBytes(), processes: processes(),
    links: all.relays.legacy.children.size };
  const sessions = await crowd(SESSIONS);
  assert.deepEqual(processes(), before.processes);
  assert.equal(all.relays.legacy.children.size, before.links);
  const grown = gatewayBytes() - before.bytes;
  t.diagnostic(`${Math.round(grown / SESSIONS)} bytes a session`);
  assert.ok(grown < SESSIONS * BYTES_EACH + SLACK,
    `${grown} bytes for ${SESSIONS} sessions`);

  // They were forgotten by their clients, not by the host.
  const last = sessions.at(-1);
  assert.equal((await last.call('test_echo', { nonce: 'x' })).status, 200);
});
