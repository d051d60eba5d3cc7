// SPDX-License-Identifier: Apache-2.0
// One peer, one workload, one process: the process tree under it is what the
// peer costs. Runs in Node and in Deno. The argument is a JSON job:
//
//   {peer, work, seconds, calls, warm, inflight, throughputSeconds, hold,
//    density: [counts]}
//
// The answer is one JSON line.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { treeCpuMs, treeKib } from './lib/proc.mjs';
import { summary } from './lib/stats.mjs';
import { work } from './lib/work.mjs';

// One call, its answer checked. `call` is one at a time; a peer whose calls in
// flight together need another interface has `callTogether`.
async function checked(call, task) {
  const answer = await call();
  if (!answer.includes(task.expect)) throw new Error(`wrong answer: ${String(answer).slice(0, 200)}`);
}

async function sequential(session, task, job) {
  for (let i = 0; i < job.warm; i++) await checked(session.call, task);
  const sample = [];
  const cpu = treeCpuMs(session.root);
  const end = performance.now() + job.seconds * 1000;
  while (sample.length < job.calls && performance.now() < end) {
    const start = performance.now();
    await checked(session.call, task);
    sample.push(performance.now() - start);
  }
  return { ...summary(sample), cpuMs: (treeCpuMs(session.root) - cpu) / sample.length };
}

async function throughput(session, task, job) {
  const call = session.callTogether ?? session.call;
  let calls = 0;
  const start = performance.now();
  const end = start + job.throughputSeconds * 1000;
  const lane = async () => {
    for (; performance.now() < end; calls++) await checked(call, task);
  };
  await Promise.all(Array.from({ length: job.inflight }, lane));
  return { inflight: job.inflight, perSecond: calls / ((performance.now() - start) / 1000) };
}

async function settledKib(root) {
  globalThis.gc?.();
  await sleep(300);
  return treeKib(root);
}

// What the tree grows by for each of `hold` isolates that have answered a call
// and are kept. The first two are not counted: they take what the start freed.
async function held(session, job) {
  await session.hold(2);
  const before = await settledKib(session.root);
  await session.hold(job.hold);
  const after = await settledKib(session.root);
  return { held: job.hold, kibEach: (after - before) / job.hold };
}

// A thousand deployments under names of their own: what each costs while it is
// resident, and what a call costs among so many. Stops where the peer does.
async function density(session, task, counts) {
  const rows = [];
  const before = await settledKib(session.root);
  let loaded = 0, seconds = 0;
  try {
    for (const count of counts) {
      const start = performance.now();
      for (; loaded < count; loaded++) await checked(() => session.named(`d${loaded}`), task);
      seconds += (performance.now() - start) / 1000;
      const kibEach = (await settledKib(session.root) - before) / count;
      let turn = 0;
      const call = () => session.named(`d${(turn += 7) % count}`);
      const latency = await sequential({ root: session.root, call }, task, { warm: 5, calls: 300, seconds: 2 });
      rows.push({ count, seconds, kibEach, ...latency });
    }
  } catch (error) {
    rows.push({ count: counts[rows.length], died: loaded, reason: error.message });
  }
  return rows;
}

async function measure(job) {
  const task = work(job.work);
  const peer = (await import(`./peers/${job.peer}.mjs`)).default;
  const session = { root: process.pid, ...await peer.open(task) };
  try {
    return {
      ...(job.hold > 0 && session.hold !== undefined ? { memory: await held(session, job) } : {}),
      ...(job.calls > 0 ? { latency: await sequential(session, task, job) } : {}),
      ...(job.throughputSeconds > 0 ? { throughput: await throughput(session, task, job) } : {}),
      ...(job.density !== undefined ? { density: await density(session, task, job.density) } : {}),
    };
  } finally {
    await session.close?.();
  }
}

const defaults = { seconds: 4, calls: 300, warm: 5, inflight: 2, throughputSeconds: 0, hold: 0 };
const result = await measure({ ...defaults, ...JSON.parse(process.argv[2]) })
  .catch((error) => ({ error: String(error?.message ?? error).split('\n')[0] }));
process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(0));
