// SPDX-License-Identifier: Apache-2.0
// The whole run: every measurement one after the other, never two at once, then
// results.md and results.svg. `--quick` takes fewer samples; `--only WORD` runs
// the steps whose name holds the word and writes nothing.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { binary } from './lib/binaries.mjs';
import { boxes, inBox, inside, nodeStart, starts, wrapperMemory } from './lib/boxes.mjs';
import * as cordon from './lib/cordon.mjs';
import { fairness } from './lib/fairness.mjs';
import { fetches, inWords as fetchesInWords } from './lib/fetch.mjs';
import { directLines, directSdk, gateways, throughGateway } from './lib/gateway.mjs';
import { endToEnd, servers } from './lib/http.mjs';
import { proxied, storm } from './lib/hosted.mjs';
import { machine } from './lib/machine.mjs';
import { peers } from './lib/peers.mjs';
import { plot } from './lib/plot.mjs';
import { report } from './lib/report.mjs';
import { work } from './lib/work.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({ options: {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  build: { type: 'string', default: process.env.CORDON_BUILD ?? here('../build') },
} });
const build = resolve(flags.build);

const full = { seconds: 3, calls: 2000, throughputSeconds: 2, hold: 50, heapSeconds: 1, heaps: [1, 8, 32, 64],
  density: [1, 10, 100, 1000], sdkDensity: [1, 10, 50], first: 20, lanes: [4, 16], inflight: 4,
  pauseUs: 3000, gatewayLanes: [1, 16, 128], sessions: 10000, starts: 300, insideSeconds: 3,
  hosted: 200, restSeconds: 10 };
const quick = { ...full, seconds: 1, throughputSeconds: 0.5, hold: 10, heapSeconds: 0.5, heaps: [1, 32],
  density: [1, 10, 100], sdkDensity: [1, 10], first: 5, lanes: [4], sessions: 1000,
  starts: 30, insideSeconds: 1, hosted: 20, restSeconds: 3 };
const size = flags.quick ? quick : full;

const JOB_TIMEOUT_MS = 90000;
const SDK = ['sdk-v2', 'sdk-v1'];
const DENO = ['run', '-A', '--no-remote', '--quiet', '--unstable-worker-options', '--v8-flags=--expose-gc'];

// The line of what a process said that tells why it ended.
function reason(said) {
  const lines = said.trim().split('\n');
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1);
}

// One peer at one workload in a process of its own.
function hosted(peer, job) {
  const command = peer.runtime === 'deno'
    ? [binary('deno'), ...DENO]
    : [binary('node'), '--expose-gc', '--no-warnings'];
  const args = [...command.slice(1), here('./host.mjs'), JSON.stringify({ peer: peer.name, ...job })];
  return new Promise((fulfil, reject) => {
    const child = spawn(command[0], args, { cwd: here('.'), stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', said = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), JOB_TIMEOUT_MS);
    child.stdout.on('data', (text) => { out += text; });
    child.stderr.on('data', (text) => { said = (said + text).slice(-500); });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      const line = out.trim().split('\n').at(-1);
      if (line === '') return reject(new Error(`it ended with ${signal ?? code}: ${reason(said)}`));
      const result = JSON.parse(line);
      if (result.error !== undefined) reject(new Error(result.error));
      else fulfil(result);
    });
  });
}

function peerSteps(workload, job) {
  return peers.map((peer) => ({
    section: workload, name: peer.name, run: () => hosted(peer, { work: workload, ...job }) }));
}

const cordonStep = (section, run) => ({ section, name: 'cordon', run });
const times = { calls: size.calls, seconds: size.seconds, throughputSeconds: size.throughputSeconds };
const cordonTimes = { ...times, lanes: size.lanes, pauseUs: size.pauseUs };

function callSteps() {
  const peerTimes = { ...times, inflight: size.inflight };
  const workloads = ['tiny', ...SDK];
  return workloads.flatMap((workload) => [
    cordonStep(workload, () => cordon.latency(build, work(workload), cordonTimes)),
    ...peerSteps(workload, workload === 'sdk-v1'
      ? { ...peerTimes, throughputSeconds: 0 }
      : { ...peerTimes, hold: workload === 'tiny' ? size.hold : size.hold / 5 }),
  ]);
}

function memorySteps() {
  return [
    cordonStep('in-call', () => cordon.inCall(build, work('hold'), size.hold)),
    cordonStep('waiting', () => cordon.waiting(build, work('tiny'), size.hold)),
    cordonStep('waiting-sdk-v2', () => cordon.waiting(build, work('sdk-v2'), Math.min(16, size.hold))),
  ];
}

function densitySteps() {
  const job = { calls: 300, seconds: 2 };
  const loader = peers.find(({ name }) => name === 'workerd');
  const table = (workload, counts) => [
    ...counts.map((count) => ({ section: `density-${workload}`, name: `cordon-${count}`,
      run: () => cordon.density(build, work(workload), count, job) })),
    { section: `density-${workload}`, name: 'workerd',
      run: () => hosted(loader, { work: workload, calls: 0, density: counts }) },
  ];
  return [...table('tiny', size.density), ...table('sdk-v2', size.sdkDensity)];
}

function heapSteps() {
  const job = { calls: 300, seconds: size.heapSeconds, warm: 1 };
  const fresh = peers.filter((peer) => peer.fresh).map(({ name }) => name);
  return size.heaps.flatMap((mib) => {
    const workload = `heap-${mib}`;
    const cordonJob = { ...cordonTimes, calls: 300, seconds: size.heapSeconds, lanes: [] };
    return [
      cordonStep(workload, () => cordon.latency(build, work(workload), cordonJob, { 'memory-mib': 256 })),
      ...peerSteps(workload, job).filter(({ name }) => fresh.includes(name)),
    ];
  });
}

function coldSteps() {
  return [
    cordonStep('wide', () => cordon.first(build, work('wide'), size.first)),
    ...peerSteps('wide', { calls: size.first, seconds: 2, warm: 1 }).filter(({ name }) => name !== 'workerd-static'),
  ];
}

function httpSteps() {
  const job = { ...times, lanes: size.lanes };
  return servers.map((server) => ({ section: 'http', name: server.name, run: () => endToEnd(build, server, job) }));
}

function gatewaySteps() {
  const job = { ...times, lanes: size.gatewayLanes, sessions: size.sessions };
  const step = (name, run) => ({ section: 'gateway', name, run });
  return [
    step('direct', () => directLines(build, job)),
    step('direct-sdk', () => directSdk(job)),
    ...gateways.map((gateway) => step(gateway.name, () => throughGateway(build, gateway, job))),
    { section: 'fairness', name: 'cordon', run: () => fairness(build, job) },
  ];
}

function boxSteps() {
  const every = (section, one) => boxes.map((box) => ({ section, name: box.name, run: () => one(box) }));
  const step = (section, name, run) => ({ section, name, run });
  return [
    step('box-start', 'true', () => starts(build, ['/usr/bin/true'], [], { rounds: size.starts, seconds: 60 })),
    step('box-node', 'node -e 0', () => starts(build, ...nodeStart(), { rounds: size.starts / 10, seconds: 40 })),
    ...every('box-inside', (box) => inside(build, box, size.insideSeconds)),
    ...every('box-memory', (box) => wrapperMemory(build, box)),
    step('box-hosted', 'cordon', () => storm(build, { count: size.hosted, restSeconds: size.restSeconds })),
    step('box-proxied', 'cordon', () => proxied(build, { ...times, lanes: size.gatewayLanes })),
    step('fetch', 'cordon', () => fetches(build, times)),
    ...['direct', 'cordon'].map((name) => step('box-stdio', name, () => inBox(build, name, { ...times, lanes: size.gatewayLanes }))),
  ];
}

const ms = (value) => (value === null || value === undefined ? '–' : `${value.toPrecision(3)} ms`);

const inWordsHeld = ({ error, ...held }) => (error !== undefined ? `sessions: ${error}` :
  `${Math.round(held.sessionBytes)} bytes a session (${held.sessions}), ${Math.round(held.streamBytes)} a stream (${held.streams})`);

function inWords(result) {
  if (result.error !== undefined) return `cannot: ${result.error}`;
  if (result.each !== undefined)
    return Object.entries(result.each).map(([name, one]) => `${name}: ${inWords(one)}`).join('; ');
  if (result.ns !== undefined) return Object.entries(result.ns).map(([name, ns]) => `${name} ${Math.round(ns)} ns`).join(', ');
  if (result.fetches !== undefined) return fetchesInWords(result);
  if (result.stormSeconds !== undefined)
    return `${result.count} started in ${result.stormSeconds.toPrecision(3)} s, ${Math.round(result.boxKib)} KiB each, ` +
      `${result.restCpuMs.toPrecision(2)} ms of CPU in ${result.restSeconds} s`;
  if (result.processes !== undefined) return `${result.processes} processes, ${Math.round(result.kib)} KiB`;
  if (result.density !== undefined)
    return result.density.map((row) => `${row.count}: ${row.died === undefined ? ms(row.p50) : `ended after ${row.died}`}`).join(', ');
  const { latency = result, memory = result, throughput } = result;
  return [
    latency.p50 === undefined ? '' : `p50 ${ms(latency.p50)}, p99 ${ms(latency.p99)}`,
    result.count === undefined ? '' : `ready in ${result.seconds.toPrecision(3)} s`,
    latency.cpuMs === undefined ? '' : `${ms(latency.cpuMs)} of CPU`,
    [throughput].flat().filter(Boolean).map((each) => `${Math.round(each.perSecond)}/s at ${each.inflight}`).join(', '),
    memory.kibEach === undefined ? '' : `${Math.round(memory.kibEach)} KiB each`,
    result.gatewayKib === undefined ? '' : `gateway ${Math.round(result.gatewayKib)} KiB, all ${Math.round(result.kib)} KiB`,
    result.held === undefined ? '' : inWordsHeld(result.held),
    result.ratio === undefined ? '' : `p99 ${ms(result.alone.p99)} alone, ${ms(result.flooded.p99)} beside a flood`,
    result.privateKib === undefined ? '' : `${Math.round(result.privateKib)} KiB private each`,
  ].filter(Boolean).join('; ');
}

async function runAll(steps) {
  const results = {};
  const began = performance.now();
  for (const [i, { section, name, run }] of steps.entries()) {
    process.stdout.write(`[${i + 1}/${steps.length}] ${section} · ${name} … `);
    const result = await run().catch((error) => ({ error: error.message.split('\n')[0].slice(0, 300) }));
    results[section] ??= {};
    Object.assign(results[section], result.each ?? { [name]: result });
    console.log(inWords(result));
  }
  return { results, seconds: (performance.now() - began) / 1000 };
}

for (const name of ['addr-check', 'cordon-bench', 'fetch-load', 'fetch-origin', 'fetch-through', 'http-load', 'inside-load', 'line-load', 'line-server', 'start-load'])
  if (!existsSync(resolve(build, name))) throw new Error(`${name} is not in the build folder: run bench/run, which builds it`);

const steps = [callSteps, memorySteps, densitySteps, heapSteps, coldSteps, httpSteps, gatewaySteps, boxSteps].flatMap((make) => make())
  .filter(({ section, name }) => `${section} ${name}`.includes(flags.only));
const { results, seconds } = await runAll(steps);
mkdirSync(here('./out'), { recursive: true });
const all = { machine: machine(), seconds, quick: flags.quick, size, results };
writeFileSync(here('./out/results.json'), JSON.stringify(all, null, 1));
if (flags.only === '') {
  writeFileSync(here('./results.md'), report(all));
  writeFileSync(here('./results.svg'), plot(all));
  console.log(`bench/results.md and bench/results.svg are written, in ${Math.round(seconds)} s`);
}
process.exit(0);
