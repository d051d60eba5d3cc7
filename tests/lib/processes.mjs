// SPDX-License-Identifier: Apache-2.0

// The processes below one, seen from outside through /proc.

import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const readOr = (path, otherwise) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
};

// One process: its title, state and start time, which with the pid names it
// for good. Undefined when there is none.
export function processOf(pid) {
  const stat = readOr(`/proc/${pid}/stat`, '');
  const split = stat.lastIndexOf(')');
  if (split < 0) return undefined;
  const fields = stat.slice(split + 2).split(' ');
  return {
    pid,
    name: stat.slice(stat.indexOf('(') + 1, split),
    title: readOr(`/proc/${pid}/cmdline`, '').replaceAll('\0', ' ').trim(),
    state: fields[0],
    parent: Number(fields[1]),
    session: Number(fields[3]),
    started: fields[19],
  };
}

function childrenOf(pid) {
  let threads = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) =>
    readOr(`/proc/${pid}/task/${thread}/children`, '')
      .split(' ').filter(Boolean).map(Number));
}

const PAGE = 4096;

const residentBytes = (pid) =>
  Number(readOr(`/proc/${pid}/statm`, '0 0').split(' ')[1]) * PAGE;

// The process and all below it.
export function treeOf(pid) {
  const root = processOf(pid);
  if (root === undefined) return [];
  return [root, ...childrenOf(pid).flatMap(treeOf)];
}

const isAlive = ({ pid, started }) => {
  const now = processOf(pid);
  return now !== undefined && now.started === started &&
    now.state !== 'Z' && now.state !== 'X';
};

// Remembers every process that was ever seen below `pid`, so that one which
// left the tree (a new session, another parent) is found all the same.
export function watchTree(pid, everyMs = 25) {
  const seen = new Map();
  let peakRss = 0;
  const look = () => {
    for (const one of treeOf(pid)) {
      seen.set(`${one.pid}:${one.started}`, one);
      peakRss = Math.max(peakRss, residentBytes(one.pid));
    }
  };
  look();
  const timer = setInterval(look, everyMs);
  return {
    look,
    seen: () => [...seen.values()],
    peakRssBytes: () => peakRss,
    stop: () => clearInterval(timer),
    // What is still alive, after a grace for the kernel to finish.
    async left(graceMs = 2000) {
      clearInterval(timer);
      const end = Date.now() + graceMs;
      for (;;) {
        const alive = [...seen.values()].filter(isAlive);
        if (alive.length === 0 || Date.now() > end) return alive;
        await sleep(20);
      }
    },
  };
}

export const openDescriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

// Waits for the condition, not for a time: looks again until it holds.
export async function until(what, condition, timeoutMs = 10_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}
