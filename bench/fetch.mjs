// SPDX-License-Identifier: Apache-2.0
// Fetches through egress beside libcurl's and Node's own, in network namespaces
// of its own (tests/lib/inside.mjs): one origin behind a veth pair for all. Run
// by lib/fetch.mjs; prints one line of JSON.
//
//     fetch.mjs BUILD CALLS SECONDS

import '../tests/lib/inside.mjs';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { summary } from './lib/stats.mjs';

const [build, calls, seconds] = process.argv.slice(2);
process.env.CORDON_BUILD = resolve(build);
const { Egress } = await import('../tests/lib/egress.mjs');
const { World } = await import('../tests/lib/world.mjs');

const MIB = 1 << 20;
const SMALL = 100;
const LARGE = 256 * MIB;
const MANY = 1000;
const PLENTY = { perMinute: 4e9, perCaller: 4e9, open: 100_000, bytesIn: 1e15,
  bytesPerMinute: 1e18 };
const ORIGIN = '45.83.7.80';
const url = (n) => `http://bench.acme.net:8080/${n}`;
// A thousand lookups at once would measure the name server.
const known = (n) => `http://${ORIGIN}:8080/${n}`;

const world = await World.start();
await world.program([join(build, 'fetch-origin'), ORIGIN, '8080']);
await world.name('bench.acme.net', { a: [ORIGIN], ttl: 60 });
const egress = await Egress.start(world);
const rules = ['http://bench.acme.net:8080'];
await egress.server(1, { rules, budget: PLENTY });

const run = promisify(execFile);
// A fetch that failed is no figure: then there is none for that part.
function whole(text) {
  const row = JSON.parse(text);
  if (row.failed > 0 || row.calls === 0) {
    throw new Error(`${row.failed} of ${row.failed + row.calls} fetches failed, the first: ${row.failure}`);
  }
  return row;
}

const load = async (...words) => whole(
  (await run(join(build, 'fetch-load'), words.map(String))).stdout);

// As many streams as hold that many fetches (64 of each caller).
async function throughEgress(lanes, n, time, size, id = 1) {
  const streams = Math.ceil(lanes / 64);
  const done = load('egress', lanes, n, time, url(size), size, egress.path, streams);
  for (let i = 0; i < streams; i += 1) await egress.tell('caller', id, 'cell', i);
  return done;
}

const direct = (lanes, n, time, size) => load('direct', lanes, n, time, known(size), size);

// Node's own fetch (undici), in this process.
async function node(lanes, n, time, size) {
  const sample = [];
  const began = performance.now();
  const end = began + time * 1000;
  let left = n;
  const one = async () => {
    while (left-- > 0 && performance.now() < end) {
      const start = performance.now();
      const response = await fetch(known(size));
      let got = 0;
      for await (const chunk of response.body) got += chunk.length;
      if (got !== size) throw new Error(`${got} bytes, not ${size}`);
      sample.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: lanes }, one));
  const took = (performance.now() - began) / 1000;
  return { ...summary(sample), perSecond: sample.length / took, failed: 0 };
}

// In turns, so that a machine that changes its mind changes it for all.
async function each(lanes, n, time, size, rounds) {
  const ways = { direct, egress: throughEgress, node };
  const all = {};
  for (let i = 0; i < rounds; i += 1) {
    for (const [name, way] of Object.entries(ways)) {
      (all[name] ??= []).push(await way(lanes, n, time, size));
    }
  }
  const middle = (rows) => rows.sort((a, b) => a.p50 - b.p50)[rows.length >> 1];
  return Object.fromEntries(Object.entries(all).map(([name, rows]) => [name, middle(rows)]));
}

// Connections that wait for the next request, over many servers.
async function idle() {
  const SERVERS = 40, EACH = 48;
  const pss = () => Number(/^Pss:\s+(\d+)/m.exec(
    readFileSync(`/proc/${egress.pid}/smaps_rollup`, 'utf8'))[1]);
  for (let i = 0; i < SERVERS; i += 1) {
    await egress.server(100 + i, { rules, budget: PLENTY });
  }
  const fetches = async (lanes) => {
    for (let i = 0; i < SERVERS; i += 1) {
      await throughEgress(lanes, lanes, 5, SMALL, 100 + i);
    }
    return { kib: pss(), descriptors: egress.descriptors };
  };
  const one = await fetches(1);
  const all = await fetches(EACH);
  const connections = all.descriptors - one.descriptors;
  return { connections, kibEach: (all.kib - one.kib) / connections };
}

// From inside a box, past the relay (tcp) and the proxy (http).
async function boxed() {
  const inside = async (rule, lanes, n, time, size) => {
    const policy = join(world.folder, 'policy.json');
    writeFileSync(policy, JSON.stringify({ network: { allowedDomains: [rule],
      requestsPerMinute: 1_000_000, bytesIn: '16GiB', bytesPerMinute: '64GiB' } }));
    const { stdout } = await run(join(build, 'cordon'), ['wrap', '--policy', policy,
      '--read', build, '--', '/usr/bin/env', ...rule.startsWith('tcp') ? ['-u', 'http_proxy'] : [],
      join(build, 'fetch-load'), 'direct', lanes, n, time, url(size), size].map(String));
    return whole(stdout);
  };
  const out = {};
  for (const [way, rule] of [['tcp', 'tcp://bench.acme.net:8080'], ['http', rules[0]]]) {
    out[way] = { large: await inside(rule, 1, 4, 20, LARGE),
      small: await inside(rule, 1, calls, seconds, SMALL) };
  }
  return out;
}

async function starts() {
  const box = (net) => ['---', join(build, 'cordon'), 'wrap', '--profile', 'none',
    ...net.flatMap((rule) => ['--net', rule]), '--', '/usr/bin/true'];
  const { stdout } = await run(join(build, 'start-load'), ['100', '20',
    ...box([]), ...box(['bench.acme.net'])].map(String));
  const said = stdout.trim().split('\n').map((line) => JSON.parse(line));
  return { without: said[1], with: said[3] };
}

async function check() {
  const { stdout } = await run(join(build, 'addr-check'), ['0.3']);
  return JSON.parse(stdout);
}

async function tried(what) {
  try {
    return await what();
  } catch (error) {
    return { error: (error.stderr || error.message).trim().split('\n').at(-1).slice(0, 200) };
  }
}

const parts = {
  idle, // first: what others free would hide what it takes
  small: () => each(1, calls, seconds, SMALL, 3),
  large: () => each(1, 4, 20, LARGE, 3),
  many: () => each(MANY, 20_000, 10, SMALL, 1),
  boxed, starts, check,
};
const only = process.env.CORDON_BENCH_FETCH?.split(',') ?? Object.keys(parts);
const results = {};
for (const name of only) results[name] = await tried(parts[name]);
await egress.stop();
await world.stop();
console.log(JSON.stringify(results));
