// SPDX-License-Identifier: Apache-2.0

// One `cordon run --json`, watched from outside.

import { spawn } from 'node:child_process';
import { cordon } from './paths.mjs';
import { watchTree } from './processes.mjs';

export const exitCodes = {
  ok: 0, exception: 10, stack: 10, timeout: 11, memory: 12,
  result_too_large: 13, invalid_result: 13, load_error: 14, internal: 70,
};

const OUTPUT_MAX = 64 << 20;

function collect(stream) {
  const chunks = [];
  let size = 0;
  stream.on('data', (chunk) => {
    size += chunk.length;
    if (size <= OUTPUT_MAX) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

// Runs `cordon run --json ARGS… FILE INPUT`. Answers what it printed, how it
// ended and what it left behind; kills it when it takes longer than withinMs.
export async function cordonRun(file, { args = [], input, withinMs = 20_000 } = {}) {
  const words = ['run', '--json', ...args, file];
  if (input !== undefined) words.push(input);
  const began = performance.now();
  const child = spawn(cordon, words, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const tree = watchTree(child.pid);
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    tree.look();
    for (const { pid } of tree.seen()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended meanwhile
      }
    }
  }, withinMs);
  const [exitCode, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  const tookMs = performance.now() - began;
  const left = await tree.left();
  return { exitCode, signal, overdue, tookMs, left,
    peakRssBytes: tree.peakRssBytes(),
    stdout: stdout(), stderr: stderr(), report: parse(stdout()) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
