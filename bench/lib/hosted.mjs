// SPDX-License-Identifier: Apache-2.0
// Stdio servers that a host starts in boxes: many of them at once, then at rest.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scratch } from './files.mjs';
import { stdio } from './gateway.mjs';
import { freePort, handshake, measure, requestBytes, tinyCall, withServer } from './http.mjs';
import { processKib, tree, treeKib } from './proc.mjs';
import { summary } from './stats.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

async function listening(child, port) {
  for (let tries = 0; tries < 400 && child.exitCode === null; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error(`it did not start: ${child.said.trim().split('\n').at(-1)}`);
}

// A host with an empty store of its own, and the command line towards it.
async function withHost(build, use) {
  const port = await freePort();
  const state = mkdtempSync(join(tmpdir(), 'cordon-hosted-'));
  const env = { ...process.env, CORDON_STATE: state };
  const file = join(build, 'cordon');
  const cordon = async (...args) => (await run(file, args, { env })).stdout;
  try {
    return await withServer({ file, env, args: ['serve', '--listen', `127.0.0.1:${port}`] }, async (child) => {
      await listening(child, port);
      const token = JSON.parse(await cordon('token', 'create', '--json', 'bench')).token;
      const url = (name) => new URL(`http://127.0.0.1:${port}/s/${name}/mcp`);
      const add = async (name, options, command) => {
        await cordon('upstream', 'add', name, '--profile', 'none', ...options, '--', ...command);
        await cordon('upstream', 'approve', name);
      };
      return use({ child, port, token, url, add });
    });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

// Nanoseconds of CPU that each process of a tree has had.
function treeCpuNs(root) {
  return tree(root).reduce((sum, { pid }) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      return sum;
    }
  }, 0);
}

async function inBatches(items, width, make) {
  for (let i = 0; i < items.length; i += width) await Promise.all(items.slice(i, i + width).map(make));
}

// A session and a call: until it is answered, the server has been started.
async function firstCall(child, url, token) {
  const began = performance.now();
  const headers = await handshake(child, url, token);
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(tinyCall) });
  const text = await answer.text();
  if (!text.includes('doublePrice')) throw new Error(`${url.pathname}: ${answer.status} ${text.slice(0, 200)}`);
  return performance.now() - began;
}

const isServer = ({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'line-server\n';

// All of them are called at once, who were never started; then nobody is.
export function storm(build, { count, restSeconds }) {
  return withHost(build, async ({ child, token, url, add }) => {
    const server = realpathSync(join(build, 'line-server'));
    const names = Array.from({ length: count }, (_, i) => `line${i}`);
    await inBatches(names, 8, (name) => add(name, ['--read', server, '--start-timeout', '60s'], [server]));
    const before = treeKib(child.pid), processes = tree(child.pid).length;
    const began = performance.now();
    const sample = await Promise.all(names.map((name) => firstCall(child, url(name), token)));
    const seconds = (performance.now() - began) / 1000;
    await sleep(1000);
    const all = tree(child.pid);
    const own = all.filter(isServer).reduce((sum, { pid }) => sum + processKib(pid).pss, 0);
    const kib = treeKib(child.pid) - before - own;
    await sleep(6000); // our own idle connections are closed until then
    const cpu = treeCpuNs(child.pid);
    await sleep(restSeconds * 1000);
    return { count, stormSeconds: seconds, latency: summary(sample), boxKib: kib / count, serverKib: own / count,
      processesEach: (all.length - processes) / count, restSeconds, restCpuMs: (treeCpuNs(child.pid) - cpu) / 1e6 };
  });
}

// The server of the other gateways' table, in a box of the host's.
export function proxied(build, job) {
  return withHost(build, async ({ child, port, token, url, add }) => {
    const [node, server] = stdio.map((path) => realpathSync(path));
    const modules = dirname(realpathSync(here('../node_modules/zod')));
    const reads = [dirname(dirname(node)), dirname(dirname(server)), modules];
    await add('tiny', reads.flatMap((path) => ['--read', path]), [node, server]);
    const to = url('tiny');
    await firstCall(child, to, token);
    const headers = await handshake(child, to, token);
    const request = scratch('boxed-request', requestBytes(to, headers));
    return { ...await measure(build, port, child, request, job), kib: treeKib(child.pid) };
  });
}
