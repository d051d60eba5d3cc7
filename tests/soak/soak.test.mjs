// SPDX-License-Identifier: Apache-2.0

// Minutes of mixed clients, while everything that can die is killed again and
// again: nothing hangs, nothing leaks, nothing goes to the wrong place.
//
//     CORDON_SOAK_SECONDS   how long (20)

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';
import { addBox } from '../lib/boxes.mjs';
import { cordon, node, patience } from '../lib/paths.mjs';
import { openDescriptors, until } from '../lib/processes.mjs';
import { Session } from '../lib/session.mjs';
import { fixture, fixtureRead, startEverything, upstreams } from '../lib/upstreams.mjs';
import { Tally, legacyClient, modernClient, pick, streamClient } from './clients.mjs';

const seconds = Number(process.env.CORDON_SOAK_SECONDS ?? 20);
const servers = [...Object.keys(upstreams), 'boxed'];
const RSS_GROWTH = 24 << 20; // a gateway's, after the run against before

let all;
let host;
before(async () => {
  all = await startEverything();
  host = all.host;
  await addBox(host, 'boxed', { command: [node, fixture('stdio.mjs'), 'both'],
    read: fixtureRead(), box: { starts_per_minute: 6000 } });
});
after(async () => {
  const { exit, left } = await all.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

const textOf = ({ result }) => result?.content?.map(({ text }) => text).join('');

async function echoes(server) {
  try {
    const session = await Session.open(host.endpoint(server), host.headers);
    const answer = await session.call('test_echo', { nonce: server });
    await session.end();
    return textOf(answer) === server;
  } catch {
    return false;
  }
}

const isWell = async (server) => until(`${server} to be well`,
  () => echoes(server), 30_000 * patience);
const allWell = () => Promise.all(servers.map(isWell));

const residentBytes = (pid) =>
  Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;

const one = (kind) => host.processes(kind)[0];

// What the long-lived processes hold now, when nobody asks for anything.
function holdings() {
  const supervisor = one('cordon-supervisor');
  const gateway = one('cordon-gateway');
  return {
    supervisorFds: openDescriptors(supervisor.pid),
    supervisorBytes: residentBytes(supervisor.pid),
    gatewayFds: openDescriptors(gateway.pid),
    gatewayBytes: residentBytes(gateway.pid),
    gatewayPid: gateway.pid,
    links: Object.values(all.relays).map(({ children }) => children.size),
  };
}

// Whom chance kills: those below the host by name (of a box its launcher), and
// servers behind sockets.
const victims = ['cordon-template', 'cordon-template', 'cordon-cell', 'cordon-cell',
  'upstream', 'upstream', 'cordon-box', 'cordon-box', 'cordon-gateway', 'cordon-store', 'cordon-zygote'];

function killOne(kind, killed) {
  const pids = kind === 'upstream' ?
    Object.values(all.relays).flatMap(({ children }) => [...children])
      .map(({ pid }) => pid) :
    host.processes(kind).map(({ pid }) => pid);
  if (pids.length === 0) return;
  try {
    process.kill(pick(pids), 'SIGKILL');
    killed[kind] = (killed[kind] ?? 0) + 1;
  } catch {
    // it ended meanwhile
  }
}

async function chaos(running) {
  const killed = {};
  // The supervisor gives up on what dies at once, again and again: each
  // process has some time to live.
  const last = {};
  while (running()) {
    await sleep(200 + Math.random() * 800);
    const kind = pick(victims);
    const pause = { 'cordon-gateway': 8000, 'cordon-store': 8000, 'cordon-zygote': 8000 };
    if (Date.now() - (last[kind] ?? 0) < (pause[kind] ?? 0)) continue;
    last[kind] = Date.now();
    killOne(kind, killed);
  }
  return killed;
}

async function crowd(running, tally) {
  const common = { host, servers, tally, running };
  const clients = [modernClient, modernClient, modernClient, legacyClient,
    legacyClient, legacyClient, streamClient, streamClient];
  await Promise.all(clients.map((client) => client(common)));
}

// Sessions that are opened before, and must work afterwards.
const openLasting = () => Promise.all(servers.map(async (server) => ({ server,
  session: await Session.open(host.endpoint(server), host.headers) })));

async function workStill(lasting) {
  for (const { server, session } of lasting) {
    const nonce = `still ${server}`;
    const answer = await session.call('test_echo', { nonce });
    assert.deepEqual([answer.status, textOf(answer)], [200, nonce], server);
  }
}

const during = (ms) => {
  const end = Date.now() + ms;
  return () => Date.now() < end;
};

async function settled() {
  await allWell();
  await until('calls to end', async () => {
    const text = await fetch(`${host.url}/metrics`, { headers: host.headers })
      .then((answer) => answer.text());
    const busy = /^cordon_calls_in_flight(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1];
    return busy === undefined || Number(busy) === 0;
  });
}

test(`${seconds} s of everything, while everything is killed`,
  { timeout: (seconds + 180) * 1000 * patience }, async (t) => {
    await allWell();
    const warmUp = new Tally();
    await crowd(during(3000), warmUp); // without chaos: what is normal
    assert.deepEqual(warmUp.wrong, []);
    await settled();
    const before = holdings();
    const lasting = await openLasting();

    const tally = new Tally();
    const running = during(seconds * 1000);
    const [killed] = await Promise.all([chaos(running), crowd(running, tally)]);
    t.diagnostic(`answered ${tally.answered}, refused ${tally.refused}, ` +
      `closed ${tally.closed}; killed ${JSON.stringify(killed)}`);
    for (const [sentence, n] of Object.entries(tally.reasons)) {
      t.diagnostic(`${n} × ${sentence}`);
    }

    await settled();
    assert.deepEqual(tally.wrong, []);
    assert.ok(tally.answered > 100, `${tally.answered} calls were answered`);
    assert.ok(Object.values(killed).reduce((sum, n) => sum + n, 0) > seconds / 5);
    await workStill(lasting);

    const now = holdings();
    t.diagnostic(`before ${JSON.stringify(before)}, now ${JSON.stringify(now)}`);
    assert.ok(now.supervisorFds <= before.supervisorFds + 16, 'supervisor\'s descriptors');
    assert.ok(now.gatewayFds <= before.gatewayFds + 64, 'gateway\'s descriptors');
    assert.ok(now.supervisorBytes <= before.supervisorBytes + (4 << 20), 'supervisor\'s memory');
    assert.ok(now.gatewayBytes <= before.gatewayBytes + RSS_GROWTH, 'gateway\'s memory');
    for (const kind of ['cordon-gateway', 'cordon-store', 'cordon-zygote']) {
      assert.equal(host.processes(kind).length, 1, kind);
    }

    const { stdout } = await promisify(execFile)(cordon, ['audit', 'verify'],
      { env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
    t.diagnostic(`audit verify: ${stdout.trim()}`);
  });
