// SPDX-License-Identifier: Apache-2.0
// What a tree of processes spent and holds, as the kernel counts it. The same
// functions measure every peer and cordon, so that the columns compare.

import { readFileSync, readdirSync } from 'node:fs';

const TICK_MS = 10; // USER_HZ is 100 wherever Linux runs

// '' for a process that is gone; undefined for one that we may not look into.
function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch ({ code }) {
    return code === 'EACCES' || code === 'EPERM' ? undefined : '';
  }
}

// The fields of /proc/PID/stat from the state on: the name before them may
// hold spaces and parentheses.
function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

// root and everything below it: [{pid, ppid, cpuMs}], parents first.
export function tree(root) {
  const found = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = stat(name);
    if (fields === null) continue;
    const ticks = fields.slice(11, 15).reduce((sum, n) => sum + Number(n), 0);
    found.set(Number(name), { pid: Number(name), ppid: Number(fields[1]), cpuMs: ticks * TICK_MS });
  }
  const out = found.has(root) ? [found.get(root)] : [];
  for (let i = 0; i < out.length; i++) {
    for (const each of found.values()) if (each.ppid === out[i].pid) out.push(each);
  }
  return out;
}

// CPU time of the tree, user and system, children that were reaped included.
export function treeCpuMs(root) {
  return tree(root).reduce((sum, each) => sum + each.cpuMs, 0);
}

function kib(text, field) {
  const found = text.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return found === null ? 0 : Number(found[1]);
}

// Proportional set size and page tables, in KiB: what one process costs. Page
// tables belong to it: a forked child has all of its own. NaN where only root
// may look, as into the cells.
export function processKib(pid) {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  if (rollup === undefined) return { pss: NaN, private: NaN, pte: NaN };
  const pte = kib(read(`/proc/${pid}/status`), 'VmPTE');
  return {
    pss: kib(rollup, 'Pss') + pte,
    private: kib(rollup, 'Private_Clean') + kib(rollup, 'Private_Dirty'),
    pte,
  };
}

export function treeKib(root) {
  return tree(root).reduce((sum, each) => sum + processKib(each.pid).pss, 0);
}

// What of it is in memory, in KiB; null unless it has that name.
export function residentKib(pid, name) {
  const status = read(`/proc/${pid}/status`) ?? '';
  if (name !== undefined && !status.startsWith(`Name:\t${name.slice(0, 15)}\n`)) return null;
  return kib(status, 'VmRSS');
}
