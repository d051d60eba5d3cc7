// SPDX-License-Identifier: Apache-2.0
// What a gateway adds in front of a server that speaks stdio: the same server
// of the official SDK called directly, and through each gateway, from the same
// load.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { binary } from './binaries.mjs';
import { scratch } from './files.mjs';
import { TOKEN, VERSION, call, freePort, handshake, measure, requestBytes, tinyCall, withServer } from './http.mjs';
import { residentKib, tree, treeKib } from './proc.mjs';
import { summary } from './stats.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const module = (path) => here(`../node_modules/${path}`);
export const stdio = [binary('node'), here('../servers/stdio.mjs')];

const nodeCommand = (...args) => ({ file: binary('node'), args });

export const gateways = [
  { name: 'cordon', label: 'cordon serve', path: '/s/tiny/mcp', sessions: 10000, streams: 10000,
    gateway: 'cordon-gateway', command: cordonCommand, before: openSocketServer },
  { name: 'supergateway', label: 'supergateway 4.0.0', path: '/mcp', sessions: 30, streams: 30,
    command: (port) => nodeCommand(module('supergateway/dist/index.js'), '--stdio', stdio.join(' '),
      '--outputTransport', 'streamableHttp', '--port', port, '--logLevel', 'none', '--stateful') },
  { name: 'mcp-proxy', label: 'mcp-proxy 6.7.19', path: '/mcp', sessions: 1000, streams: 1000,
    command: (port) => nodeCommand(module('mcp-proxy/dist/bin/mcp-proxy.mjs'), '--host', '127.0.0.1', '--port', port,
      '--server', 'stream', '--', ...stdio) },
  // Its MCP endpoint is the old HTTP+SSE transport; calls go by its own REST
  // interface here, which is the shorter path.
  { name: 'mcp-hub', label: 'mcp-hub 4.2.1 (REST)', path: '/api/servers/tools', rest: true, command: hubCommand },
];

function cordonCommand(port, build) {
  const token = scratch('token', `${TOKEN}\n`);
  chmodSync(token, 0o600);
  const config = scratch('gateway.json', JSON.stringify({ servers: { tiny: { socket: socketPath() } },
    sessions: { per_principal: 20000, per_tenant: 20000 } }));
  return { file: join(build, 'cordon'), args: ['serve', '--config', config, '--listen', `127.0.0.1:${port}`,
    '--token-file', token] };
}

function hubCommand(port) {
  const config = scratch('hub.json', JSON.stringify({ mcpServers: { tiny: { command: stdio[0], args: stdio.slice(1) } } }));
  return nodeCommand(module('mcp-hub/dist/cli.js'), '--port', port, '--config', config);
}

const socketPath = () => join(dirname(scratch('keep', '')), 'tiny.sock');

// The server that cordon connects to; the other gateways start it themselves.
async function openSocketServer() {
  rmSync(socketPath(), { force: true });
  const child = spawn(binary('node'), [here('../servers/socket.mjs'), socketPath()], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((listening, reject) => {
    child.stdout.once('data', listening);
    child.once('exit', () => reject(new Error('the server behind the socket ended')));
  });
  return child;
}

// mcp-hub has no handshake on this path, but starts its servers in its time.
async function restReady(child, url) {
  const headers = { 'content-type': 'application/json' };
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break;
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(restCall) }).catch(() => null);
    if (answer?.ok && (await answer.text()).includes('doublePrice')) return headers;
    await new Promise((later) => setTimeout(later, 100));
  }
  throw new Error(`it did not start: ${child.said.trim().split('\n').at(-1)}`);
}

const restCall = { server_name: 'tiny', tool: 'tiny', arguments: { price: 45 }, request: 10000000 };

// Whom the memory of the gateway itself is of: the named process, or the one
// that was started.
const gatewayKib = (child, { gateway }) => residentKib(gateway === undefined ? child.pid :
  tree(child.pid).map(({ pid }) => pid).find((pid) => residentKib(pid, gateway) !== null));

async function inBatches(count, make, width = 32) {
  const made = [];
  while (made.length < count)
    made.push(...await Promise.all(Array.from({ length: Math.min(width, count - made.length) }, make)));
  return made;
}

// A GET that stays open: an SSE stream of a session.
function openStream(url, headers) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), '127.0.0.1');
    const lines = Object.entries({ host: url.host, ...headers, accept: 'text/event-stream' });
    socket.write(`GET ${url.pathname} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    socket.once('error', reject);
    socket.once('data', (text) => {
      if (String(text).startsWith('HTTP/1.1 200')) resolve(socket);
      else reject(new Error(`GET: ${String(text).split('\r\n')[0]}`));
    });
  });
}

// What each of many idle sessions takes, then each of their streams.
async function held(child, url, gateway, size) {
  const scale = Math.min(1, size / 10000);
  const count = Math.max(10, Math.round(gateway.sessions * scale));
  const before = treeKib(child.pid);
  const sessions = await inBatches(count, () => handshake(child, url));
  const idle = treeKib(child.pid);
  const streams = await inBatches(Math.min(count, gateway.streams), () => openStream(url, sessions.pop()));
  const open = treeKib(child.pid);
  for (const socket of streams) socket.destroy();
  return { sessions: count, streams: streams.length,
    sessionBytes: (idle - before) * 1024 / count, streamBytes: (open - idle) * 1024 / streams.length };
}

// A gateway of its own, with what it needs behind it, for each question.
async function started(build, gateway, use) {
  const port = await freePort();
  const behind = await gateway.before?.();
  try {
    return await withServer(gateway.command(String(port), build), async (child) => {
      const url = new URL(gateway.path, `http://127.0.0.1:${port}`);
      const headers = await (gateway.rest ? restReady : handshake)(child, url);
      return use({ child, behind, port, url, headers });
    });
  } finally {
    behind?.kill('SIGKILL');
  }
}

export async function throughGateway(build, gateway, job) {
  const called = await started(build, gateway, async ({ child, behind, port, url, headers }) => {
    const request = scratch('request', requestBytes(url, headers, gateway.rest ? restCall : tinyCall));
    const measured = await measure(build, port, child, request, job);
    return { ...measured, gatewayKib: gatewayKib(child, gateway),
      kib: treeKib(child.pid) + (behind === undefined ? 0 : treeKib(behind.pid)) };
  });
  if (gateway.sessions === undefined) return called;
  // What the calls gave back would hide what sessions take.
  const kept = await started(build, gateway, ({ child, url }) => held(child, url, gateway, job.sessions))
    .catch(({ message }) => ({ error: message }));
  return { ...called, held: kept };
}

// The lines of a client over stdio: its handshake, then the call.
const lines = [
  call(1, 'initialize', { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1' } }),
  call(null, 'notifications/initialized'), tinyCall].map((one) => `${JSON.stringify(one)}\n`).join('');

export function lineLoad(build, inflight, calls, seconds, command = stdio) {
  return new Promise((resolve, reject) => {
    const args = [inflight, calls, seconds, scratch('lines', lines), 'doublePrice', ...command].map(String);
    const child = spawn(join(build, 'line-load'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', said = '';
    child.stdout.on('data', (text) => { out += text; });
    child.stderr.on('data', (text) => { said += text; });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(said.trim()))));
  });
}

// No gateway: what the server itself takes, with the smallest of clients.
export async function directLines(build, job) {
  const latency = await lineLoad(build, 1, job.calls, job.seconds);
  const throughput = [];
  for (const inflight of job.lanes)
    throughput.push({ inflight, ...await lineLoad(build, inflight, 200000, job.throughputSeconds) });
  return { latency, throughput };
}

// No gateway: the official client, which starts the server itself.
export async function directSdk(job) {
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(new StdioClientTransport({ command: stdio[0], args: stdio.slice(1) }));
  const one = () => client.callTool({ name: 'tiny', arguments: { price: 45 } });
  try {
    for (let i = 0; i < 300; i++) await one();
    const latency = summary(await timed(1, one, job.calls, job.seconds).then(({ sample }) => sample));
    const throughput = [];
    for (const inflight of job.lanes)
      throughput.push({ inflight, perSecond: (await timed(inflight, one, Infinity, job.throughputSeconds)).perSecond });
    return { latency, throughput };
  } finally {
    await client.close();
  }
}

async function timed(width, make, calls, seconds) {
  const sample = [];
  const began = performance.now(), end = began + seconds * 1000;
  const lane = async () => {
    for (let now = performance.now(); now < end && sample.length < calls; ) {
      await make();
      const then = performance.now();
      sample.push(then - now);
      now = then;
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { sample, perSecond: sample.length / ((performance.now() - began) / 1000) };
}

mkdirSync(dirname(scratch('keep', '')), { recursive: true });
