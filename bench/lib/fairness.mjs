// SPDX-License-Identifier: Apache-2.0
// Two tenants of one host, each with a token and a server of its own: what a
// flood of the one does to the waiting times of the other.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scratch } from './files.mjs';
import { freePort, handshake, load, requestBytes, withServer } from './http.mjs';
import { work } from './work.mjs';

const run = promisify(execFile);
const FLOOD = 64; // connections

// A tenant with the tiny tool, approved; the URL and the headers of its calls.
async function settle(cordon, port, tenant) {
  const of = ['--tenant', tenant];
  await cordon('tenant', 'create', tenant);
  await cordon('upstream', 'add', ...of, 'tiny', scratch('fair/tiny.js', work('tiny').source));
  await cordon('upstream', 'approve', ...of, 'tiny');
  const made = JSON.parse(await cordon('token', 'create', ...of, '--json', 'bench'));
  return { url: new URL(`http://127.0.0.1:${port}/s/tiny/mcp`), token: made.token };
}

async function requestOf(child, { url, token }, name) {
  return scratch(name, requestBytes(url, await handshake(child, url, token)));
}

export async function fairness(build, job) {
  const port = await freePort();
  const state = mkdtempSync(join(tmpdir(), 'cordon-fair-'));
  const env = { ...process.env, CORDON_STATE: state };
  const file = join(build, 'cordon');
  const cordon = async (...args) => (await run(file, args, { env })).stdout;
  try {
    return await withServer({ file, env, args: ['serve', '--listen', `127.0.0.1:${port}`] }, async (child) => {
      await listening(child, port);
      const quiet = await requestOf(child, await settle(cordon, port, 'quiet'), 'quiet');
      const loud = await requestOf(child, await settle(cordon, port, 'loud'), 'loud');
      const one = { connections: 1, calls: job.calls, seconds: job.seconds, request: quiet };
      await load(build, port, { ...one, calls: 300 });
      const alone = await load(build, port, one);
      const flood = load(build, port, { connections: FLOOD, calls: 1000000, seconds: job.seconds + 1, request: loud });
      await new Promise((later) => setTimeout(later, 500));
      const flooded = await load(build, port, one);
      return { alone, flooded, flood: await flood, ratio: flooded.p99 / alone.p99 };
    });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

async function listening(child, port) {
  for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`it did not start: ${child.said.trim().split('\n').at(-1)}`);
}
