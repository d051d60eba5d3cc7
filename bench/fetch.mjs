// SPDX-License-Identifier: Apache-2.0
// Fetches through egress beside libcurl's and Node's own, in network namespaces
// of its own (tests/lib/inside.mjs): one origin behind a veth pair for all. Run
// by lib/fetch.mjs; prints one line of JSON.
//
//     fetch.mjs BUILD CALLS SECONDS
//
// CORDON_BENCH_FETCH names the parts that are wanted (large,secure),
// CORDON_BENCH_WAYS the ways of each (direct,egress).

import '../tests/lib/inside.mjs';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

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
const HOST = 'bench.acme.net';
// A thousand lookups at once would measure the name server.
const PLAIN = { named: (n) => `http://${HOST}:8080/${n}`, known: (n) => `http://${ORIGIN}:8080/${n}` };
const SECURE = { named: (n) => `https://${HOST}:8443/${n}`, known: (n) => `https://${HOST}:8443/${n}` };

const world = await World.start();
await world.name(HOST, { a: [ORIGIN], ttl: 60 });
await world.program([join(build, 'fetch-origin'), ORIGIN, '8080']);
const own = await world.certificate([HOST]);
const files = Object.entries(own).map(([name, text]) => {
  const path = join(world.folder, `origin.${name}`);
  writeFileSync(path, text, { mode: 0o600 });
  return [name, path];
});
const { cert, key } = Object.fromEntries(files);
await world.program([join(build, 'fetch-origin'), ORIGIN, '8443', cert, key]);
const egress = await Egress.start(world);
const rules = [`http://${HOST}:8080`, `https://${HOST}:8443`];
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
async function throughEgress({ lanes, n, time, size, to, id = 1 }) {
  const streams = Math.ceil(lanes / 64);
  const done = load('egress', lanes, n, time, to.named(size), size, egress.path, streams);
  for (let i = 0; i < streams; i += 1) await egress.tell('caller', id, 'cell', i);
  return done;
}

const direct = ({ lanes, n, time, size, to }) => load('direct', lanes, n, time, to.known(size), size);

const NODE_LOAD = fileURLToPath(new URL('lib/fetch-node.mjs', import.meta.url));
// Its roots are read when it starts.
async function node({ lanes, n, time, size, to }) {
  const { stdout } = await run(process.execPath, [NODE_LOAD, lanes, n, time, to.known(size), size].map(String),
    { env: world.env });
  return whole(stdout);
}

// libcurl within a box, without a proxy; `network` says what it may reach.
const boxed = (network) => async ({ lanes, n, time, size, to }) => {
  const policy = join(world.folder, 'policy.json');
  writeFileSync(policy, JSON.stringify({ network: { ...network(to),
    requestsPerMinute: 1_000_000, bytesIn: '16GiB', bytesPerMinute: '64GiB' } }));
  const { stdout } = await run(join(build, 'cordon'), ['wrap', '--policy', policy,
    '--read', build, '--', '/usr/bin/env', '-u', 'http_proxy', '-u', 'https_proxy',
    join(build, 'fetch-load'), 'direct', lanes, n, time, to.named(size), size].map(String));
  return whole(stdout);
};

// Past a process that does nothing but move bytes: the least that one costs.
const between = [];
async function past(how) {
  const path = join(world.folder, how);
  const child = spawn(join(build, 'fetch-through'), [path, ORIGIN, '8080', how],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  between.push(child);
  await once(child.stdout, 'data');
  return ({ lanes, n, time, size, to }) => load('through', lanes, n, time, to.known(size), size, path);
}

const onlyWays = process.env.CORDON_BENCH_WAYS?.split(',');

// In turns, so that a machine that changes its mind changes it for all.
async function each(ways, how, rounds) {
  const all = {};
  const wanted = Object.entries(ways).filter(([name]) => onlyWays?.includes(name) ?? true);
  for (let i = 0; i < rounds; i += 1) {
    for (const [name, way] of wanted) {
      (all[name] ??= []).push(await way(how));
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
      await throughEgress({ lanes, n: lanes, time: 5, size: SMALL, to: PLAIN, id: 100 + i });
    }
    return { kib: pss(), descriptors: egress.descriptors };
  };
  const one = await fetches(1);
  const all = await fetches(EACH);
  const connections = all.descriptors - one.descriptors;
  return { connections, kibEach: (all.kib - one.kib) / connections };
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

const ways = { direct, egress: throughEgress, node };
const inBoxes = {
  relayed: boxed((to) => ({ allowedDomains: [to === PLAIN ? `tcp://${HOST}:8080` : `${HOST}:8443`] })),
  seen: boxed((to) => ({ rules: [{ url: to.named('').replace(/\/$/, ''), methods: ['GET'] }] })),
};
const one = { lanes: 1, n: 4, time: 20, size: LARGE };
const parts = {
  idle, // first: what others free would hide what it takes
  small: () => each({ ...ways, ...inBoxes },
    { lanes: 1, n: calls, time: seconds, size: SMALL, to: PLAIN }, 3),
  large: async () => each({ ...ways, ...inBoxes, copied: await past('copy'),
    spliced: await past('splice') }, { ...one, to: PLAIN }, 7),
  secure: () => each({ ...ways, ...inBoxes }, { ...one, to: SECURE }, 3),
  many: () => each(ways, { lanes: MANY, n: 20_000, time: 10, size: SMALL, to: PLAIN }, 1),
  starts, check,
};
const only = process.env.CORDON_BENCH_FETCH?.split(',') ?? Object.keys(parts);
const results = {};
for (const name of only) results[name] = await tried(parts[name]);
for (const child of between) child.kill();
await egress.stop();
await world.stop();
console.log(JSON.stringify(results));
