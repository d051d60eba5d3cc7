// SPDX-License-Identifier: Apache-2.0

// Two thousand clients that each start a server in a box, call it once, and
// vanish without a word: boxes are bounded while they come, and all of them are
// gone, with everything in them, once they were idle for their time.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { addBox, admin, boxesOf, runtimeOf } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { inParallel } from '../lib/mcp.mjs';
import { patience } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';
import { Session } from '../lib/session.mjs';

const CLIENTS = 2000;
const AT_ONCE = 8;
const LINKS_OF_ONE = 16; // principal: the idle make room
const BOXES_MAX = 128; // of one server, with those that are just ending

// A server that costs next to nothing to start, and leaves a child behind.
const script = `
sleep 100000 &
while read -r line; do
  id=\${line#*'"id":'}; id=\${id%%,*}
  say() { printf '{"jsonrpc":"2.0","id":%s,%s}\\n' "$id" "$1"; }
  case $line in
    *'"initialize"'*) say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) say '"result":{"tools":[{"name":"one","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) say '"result":{"content":[]}' ;;
    *'"id"'*) say '"error":{"code":-32601,"message":"no"}' ;;
  esac
done`;

let host;
before(async () => {
  host = await Host.start({
    files: { 'none.js': 'export default { name: "none", version: "1", tools: {} };' },
    config: { sessions: { per_principal: CLIENTS + 10 } } });
});
after(async () => {
  const { exit, left } = await host.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

async function abandon(name) {
  const session = await Session.open(host.endpoint(name), host.headers);
  const { result, error } = await session.request('tools/call', { name: 'one', arguments: {} });
  assert.deepEqual([result?.content, error], [[], undefined]);
}

async function crowd(name) {
  let most = 0;
  const pids = new Set();
  const look = () => {
    const boxes = boxesOf(host);
    most = Math.max(most, boxes.length);
    for (const { pid } of boxes) for (const one of treeOf(pid)) pids.add(one.pid);
  };
  const watch = setInterval(look, 100);
  try {
    await inParallel(CLIENTS, AT_ONCE, () => abandon(name));
    look();
  } finally {
    clearInterval(watch);
  }
  return { most, pids };
}

const kinds = {
  session: { most: BOXES_MAX, left: LINKS_OF_ONE, starts: CLIENTS },
  principal: { most: 2, left: 1, starts: 1 },
};

for (const [share, { most, left, starts }] of Object.entries(kinds)) {
  test(`${CLIENTS} vanished clients of a box a ${share} leave nothing`, async (t) => {
    await addBox(host, share, { command: ['/bin/sh', '-c', script], read: [], share,
      box: { idle_s: 3, starts_per_minute: 6000 } });
    const seen = await crowd(share);
    const { links, box_starts: started } = await runtimeOf(host, share);
    t.diagnostic(`${started} starts, at most ${seen.most} boxes at once`);
    assert.ok(started >= starts);
    assert.ok(seen.most <= most, `${seen.most} boxes at once`);
    assert.ok(links <= left, `${links} links`);
    await until('all boxes to be gone',
      async () => (await runtimeOf(host, share)).boxes === 0, 20_000 * patience);
    assert.deepEqual(boxesOf(host), []);
    assert.deepEqual([...seen.pids].filter((pid) => existsSync(`/proc/${pid}`)), []);
    await admin(host, 'DELETE', `/servers/${share}`);
  });
}
