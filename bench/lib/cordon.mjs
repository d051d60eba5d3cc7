// SPDX-License-Identifier: Apache-2.0
// cordon at its host API: cordon-bench makes the calls and times them, this
// side asks for phases and measures the tree of processes between them.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { scratch } from './files.mjs';
import { processKib, tree, treeCpuMs, treeKib } from './proc.mjs';

// The tool as cordon takes it: the bare script or the bundle, unchanged.
function options(task, more) {
  const file = scratch(task.kind === 'tool' ? `${task.name}.js` : `${task.name}.mjs`, task.source);
  if (task.kind === 'tool') {
    const json = `{"tool":${JSON.stringify(task.name)},"input":${task.input}}`;
    return { bundle: file, json: scratch('call.json', json), expect: task.expect, ...more };
  }
  const { body, ...head } = task.request;
  return { bundle: file, json: scratch('call.json', JSON.stringify(head)), body: scratch('call.body', body),
    expect: task.expect, ...more };
}

export async function openCordon(build, task, more = {}) {
  const args = Object.entries(options(task, more)).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(join(build, 'cordon-bench'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { said = (said + text).slice(-2000); });
  child.stdin.on('error', () => {}); // it ended: the next answer says so
  const ended = new Promise((resolve) => { child.on('close', resolve); child.on('error', resolve); });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(said.trim().split('\n').at(-1) || 'cordon-bench ended without a word');
    const result = JSON.parse(value);
    if (result.failed > 0) throw new Error(`${result.failed} calls failed, the first: ${result.failure}`);
    return result;
  };
  await answer();
  return {
    root: child.pid,
    ask(command) {
      child.stdin.write(`${command}\n`);
      return answer();
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

async function withCordon(build, task, more, use) {
  const cordon = await openCordon(build, task, more);
  try {
    return await use(cordon);
  } finally {
    await cordon.close();
  }
}

async function phase(cordon, { calls, seconds, lanes = 1, pauseUs = 0 }) {
  const cpu = treeCpuMs(cordon.root);
  const result = await cordon.ask(`calls ${calls} ${seconds} ${lanes} ${pauseUs}`);
  return { ...result, inflight: lanes, cpuMs: (treeCpuMs(cordon.root) - cpu) / result.calls };
}

// Latency one at a time, back to back and at a pace; then in flight together.
export function latency(build, task, job, more) {
  return withCordon(build, task, more, async (cordon) => {
    const ready = await cordon.ask('ready');
    await cordon.ask('settle 300');
    await cordon.ask('calls 100 5 1 0');
    const back = await phase(cordon, { calls: job.calls, seconds: job.seconds });
    const paced = await phase(cordon, { calls: job.calls, seconds: job.seconds, pauseUs: job.pauseUs });
    const throughput = [];
    for (const lanes of job.lanes)
      throughput.push(await phase(cordon, { calls: 100000, seconds: job.throughputSeconds, lanes }));
    return { ready: ready.seconds, latency: back, paced, throughput };
  });
}

// What the tree grows by for each call that is under way and stays.
export function inCall(build, task, count) {
  const more = { 'pool-max': 8, 'cells-max': count + 64 };
  return withCordon(build, task, more, async (cordon) => {
    await cordon.ask('ready');
    await cordon.ask('settle 500');
    const before = treeKib(cordon.root);
    await cordon.ask(`hold ${count}`);
    await cordon.ask('settle 500');
    return { held: count, kibEach: (treeKib(cordon.root) - before) / count };
  });
}

// The cells that wait: the leaves of the tree, all below the same template.
export function waiting(build, task, count) {
  const more = { 'pool-max': count, 'cells-max': count + 64 };
  return withCordon(build, task, more, async (cordon) => {
    await cordon.ask('ready');
    await cordon.ask('calls 200 5 16 0');
    await cordon.ask('settle 1000');
    const stats = await cordon.ask('stats');
    const all = tree(cordon.root);
    const parents = new Map();
    for (const { ppid } of all) parents.set(ppid, (parents.get(ppid) ?? 0) + 1);
    const [template] = [...parents].filter(([pid]) => pid !== cordon.root).sort((a, b) => b[1] - a[1])[0];
    const cells = all.filter(({ ppid }) => ppid === template).map(({ pid }) => processKib(pid));
    const mean = (field) => cells.reduce((sum, each) => sum + each[field], 0) / cells.length;
    return { cells: cells.length, stats, privateKib: mean('private'), pssKib: mean('pss'), pteKib: mean('pte') };
  });
}

export async function density(build, task, count, job) {
  const more = { deployments: count, 'pool-max': 1, 'cells-max': Math.max(64, count + 64) };
  return withCordon(build, task, more, async (cordon) => {
    await cordon.ask('settle 300');
    const before = treeKib(cordon.root);
    const { seconds } = await cordon.ask('ready');
    await cordon.ask('settle 1000');
    const kibEach = (treeKib(cordon.root) - before) / count;
    const stats = await cordon.ask('stats');
    await cordon.ask(`calls ${Math.min(count, 100)} 5 1 0`);
    return { count, seconds, kibEach, stats, ...await phase(cordon, { calls: job.calls, seconds: job.seconds, pauseUs: 2000 }) };
  });
}

// The first call of a deployment whose template is not there yet.
export function first(build, task, count) {
  return withCordon(build, task, { deployments: count }, async (cordon) => {
    await cordon.ask('settle 500');
    return cordon.ask('first');
  });
}
