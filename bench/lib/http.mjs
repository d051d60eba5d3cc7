// SPDX-License-Identifier: Apache-2.0
// End to end over HTTP: a tools/call of the tiny tool, from the same load to
// each server.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from './binaries.mjs';
import { scratch } from './files.mjs';
import { tree, treeCpuMs, treeKib } from './proc.mjs';
import { work } from './work.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const TOKEN = 'bench-0123456789abcdef0123456789abcdef';
export const VERSION = '2025-06-18';

export const servers = [
  { name: 'cordon', label: 'cordon serve', walls: 'fresh isolate in a fresh, confined process per call', path: '/s/tiny/mcp',
    command: (port, build) => cordonCommand(port, build) },
  { name: 'sdk-shared', label: 'Node + official SDK, one session server', walls: 'none between calls', path: '/mcp',
    command: (port) => ({ file: binary('node'), args: [here('../servers/http.mjs'), 'shared', port] }) },
  { name: 'sdk-fresh', label: 'Node + official SDK, stateless', walls: 'none between calls', path: '/mcp',
    command: (port) => ({ file: binary('node'), args: [here('../servers/http.mjs'), 'fresh', port] }) },
  { name: 'supergateway', label: 'supergateway, stateful', walls: 'one process for a session', path: '/mcp',
    command: (port) => supergatewayCommand(port, ['--stateful']) },
  { name: 'supergateway-fresh', label: 'supergateway, stateless', walls: 'fresh process per call, unconfined', path: '/mcp',
    slow: true, command: (port) => supergatewayCommand(port, []) },
];

function supergatewayCommand(port, more) {
  return { file: binary('node'), args: [here('../node_modules/supergateway/dist/index.js'),
    '--stdio', `${binary('node')} ${here('../servers/stdio.mjs')}`,
    '--outputTransport', 'streamableHttp', '--port', port, '--logLevel', 'none', ...more] };
}

function cordonCommand(port, build) {
  const task = work('tiny');
  const folder = join(dirname(scratch('keep', '')), 'serve');
  mkdirSync(folder, { recursive: true });
  scratch('serve/tiny.js', task.source);
  const token = scratch('token', `${TOKEN}\n`);
  chmodSync(token, 0o600);
  return { file: join(build, 'cordon'), args: ['serve', folder, '--listen', `127.0.0.1:${port}`, '--token-file', token] };
}

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const call = (id, method, params) => ({ jsonrpc: '2.0', ...(id === null ? {} : { id }), method, params });

export const tinyCall = call(10000000, 'tools/call', { name: 'tiny', arguments: { price: 45 } });

async function post(url, headers, message) {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(message) });
  return { response, text: await response.text() };
}

// The handshake, once the server listens; returns the headers of a session.
export async function handshake(child, url, token = TOKEN) {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream',
    authorization: `Bearer ${token}` };
  const hello = call(1, 'initialize', { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1' } });
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || child.pid === undefined)
      throw new Error(`it did not start (${child.exitCode}): ${child.said.trim().split('\n').at(-1)}`);
    try {
      const { response, text } = await post(url, headers, hello);
      if (response.status === 503 && tries < 100) {
        await sleep(100);
        continue;
      }
      if (!response.ok) throw new Error(`initialize: ${response.status} ${text.slice(0, 200)}`);
      const session = response.headers.get('mcp-session-id');
      Object.assign(headers, { 'mcp-protocol-version': VERSION }, session === null ? {} : { 'mcp-session-id': session });
      await post(url, headers, call(null, 'notifications/initialized'));
      return headers;
    } catch (error) {
      if (tries === 100 || error.cause === undefined) throw error;
      await sleep(100);
    }
  }
}

export function requestBytes(url, headers, message = tinyCall) {
  const body = JSON.stringify(message);
  const lines = Object.entries({ host: url.host, ...headers, 'content-length': Buffer.byteLength(body) });
  return `POST ${url.pathname} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

export function load(build, port, { connections, calls, seconds, request }) {
  return new Promise((resolve, reject) => {
    const args = [port, connections, calls, seconds, request, 'doublePrice'].map(String);
    const child = spawn(join(build, 'http-load'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', said = '';
    child.stdout.on('data', (text) => { out += text; });
    child.stderr.on('data', (text) => { said += text; });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(said.trim() || `http-load ended with ${code}`));
      const result = JSON.parse(out);
      if (result.failed > 0) reject(new Error(`${result.failed} calls failed, the first: ${result.failure}`));
      else resolve(result);
    });
  });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended
  }
}

// Ends a server, then whatever of its tree it left behind.
async function end(child) {
  if (child.pid === undefined) return;
  const below = tree(child.pid);
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.on('exit', resolve));
    signal(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signal(child.pid, 'SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
  for (const { pid } of below) signal(pid, 'SIGKILL');
  child.stdout.destroy();
  child.stderr.destroy();
}

// Starts a server, and ends it whatever happens in between.
export async function withServer({ file, args, env = process.env }, use) {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.said = '';
  child.on('error', (error) => { child.said = error.message; });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => { child.said = (child.said + text).slice(-500); });
  try {
    return await use(child);
  } finally {
    await end(child);
  }
}

// One call after the other, then as many at once as the job says.
export async function measure(build, port, child, request, job, most = job.calls) {
  await load(build, port, { connections: 1, calls: Math.min(most, 300), seconds: 2, request });
  const cpu = treeCpuMs(child.pid);
  const latency = await load(build, port, { connections: 1, calls: most, seconds: job.seconds, request });
  latency.cpuMs = (treeCpuMs(child.pid) - cpu) / latency.calls;
  const throughput = [];
  for (const connections of job.lanes)
    throughput.push({ inflight: connections, ...await load(build, port,
      { connections, calls: most <= 60 ? most : 200000, seconds: job.throughputSeconds, request }) });
  return { latency, throughput };
}

export async function endToEnd(build, server, job) {
  const port = await freePort();
  return withServer(server.command(String(port), build), async (child) => {
    const url = new URL(server.path, `http://127.0.0.1:${port}`);
    const request = scratch('request', requestBytes(url, await handshake(child, url)));
    const measured = await measure(build, port, child, request, job, server.slow ? 60 : job.calls);
    return { ...measured, kib: treeKib(child.pid) };
  });
}
