// SPDX-License-Identifier: Apache-2.0

// Who comes to a host besides its owner: tokens of other tenants and of less
// scope, requests of 2026-07-28 by hand, a server that says what it likes.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { until } from './processes.mjs';
import { root } from './paths.mjs';

// Every tool, prompt and resource that a test may want.
export const everything =
  readFileSync(resolve(root, 'tests/conformance/everything.js'), 'utf8');

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

// The admin API; `status` beside what was answered.
export async function admin(host, method, path, body, token = host.token) {
  const response = await fetch(`${host.url}/admin${path}`, { method,
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body: body === undefined ? undefined :
      typeof body === 'string' ? body : JSON.stringify(body) });
  const text = await response.text();
  const isJson = text !== '' &&
    response.headers.get('content-type') === 'application/json';
  return { status: response.status, text, ...isJson ? JSON.parse(text) : {} };
}

async function must(...args) {
  const answer = await admin(...args);
  if (answer.status >= 300) throw new Error(`${args[2]}: ${answer.text}`);
  return answer;
}

let strangers = 0;

export async function addToken(host, options) {
  const { token } = await must(host, 'POST', '/tokens',
    { name: `stranger-${++strangers}`, scopes: ['read', 'call'], ...options });
  return token;
}

// Another tenant, its admin's token and a caller's.
export async function addTenant(host, name, quota) {
  await must(host, 'POST', '/tenants', { name, ...quota ? { quota } : {} });
  return {
    name,
    admin: await addToken(host, { tenant: name, scopes: ['read', 'call', 'admin'] }),
    caller: await addToken(host, { tenant: name }),
  };
}

// A server by the API, quarantined as it begins; `state`: what is made of it.
export async function addServer(host, name, what, { state, token } = {}) {
  const body = typeof what === 'string' ? { kind: 'isolate',
    files: [{ path: 'server.js', text: what }] } : { kind: 'socket', ...what };
  await must(host, 'POST', '/servers', { name, ...body }, token);
  if (state) await must(host, 'POST', `/servers/${name}/${state}`, undefined, token);
}

const META = 'io.modelcontextprotocol/';
const safe = (value) => (/^[\x21-\x7e]{1,2000}$/.test(value) ? value :
  `=?base64?${Buffer.from(value).toString('base64')}?=`);

// One request of 2026-07-28; the last message that came is the answer.
export async function modern(url, token, method, params = {},
  { can = { elicitation: {}, sampling: {}, roots: {} }, id = 1, headers = {}, signal } = {}) {
  const name = method === 'resources/read' ? params.uri : params.name;
  const response = await fetch(url, { method: 'POST', signal,
    headers: { ...bearer(token), 'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28', 'mcp-method': method,
      ...name === undefined ? {} : { 'mcp-name': safe(name) }, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: {
      [`${META}protocolVersion`]: '2026-07-28',
      [`${META}clientCapabilities`]: can,
      [`${META}clientInfo`]: { name: 'cordon-tests', version: '1.0.0' } } } }) });
  const text = await response.text();
  const json = text.startsWith('{') ? text :
    [...text.matchAll(/^data: (\{.*)$/gm)].at(-1)?.[1];
  return { status: response.status, text, ...json ? JSON.parse(json) : {} };
}

// A server on a Unix socket. It greets as servers before 2026-07-28 did; the
// rest is for `answer(message, say, socket)`; what it returns is the result.
export async function listenAt(path, answer, { tools = [{ name: 'do',
  inputSchema: { type: 'object' } }], capabilities = { tools: {} } } = {}) {
  const sockets = new Set();
  const heard = [];
  const greeting = {
    'server/discover': () => undefined,
    initialize: () => ({ protocolVersion: '2025-11-25', capabilities,
      serverInfo: { name: 'far', version: '1' } }),
    'tools/list': () => ({ tools }),
  };
  const take = (message, socket) => {
    const say = (what) => socket.write(
      typeof what === 'string' ? what : `${JSON.stringify(what)}\n`);
    const { id, method } = message;
    heard.push(message);
    const result = method in greeting ? greeting[method]() : answer(message, say, socket);
    if (id === undefined || method === undefined) return;
    if (result !== undefined) say({ jsonrpc: '2.0', id, result });
    else if (method === 'server/discover') {
      say({ jsonrpc: '2.0', id, error: { code: -32601, message: 'unknown' } });
    }
  };
  const server = createServer((socket) => {
    let rest = '';
    sockets.add(socket);
    socket.setEncoding('utf8').on('error', () => {})
      .on('close', () => sockets.delete(socket))
      .on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) take(JSON.parse(line), socket);
      });
  });
  await new Promise((listening) => server.listen(path, listening));
  return {
    path, heard, sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((closed) => server.close(closed));
    },
  };
}

// Kills the gateway, and waits for the next to answer.
export async function killGateway(host) {
  const [gateway] = host.processes('cordon-gateway');
  process.kill(gateway.pid, 'SIGKILL');
  await until('another gateway', async () => {
    const answer = await fetch(`${host.url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200 &&
      host.processes('cordon-gateway').some(({ pid }) => pid !== gateway.pid);
  });
}

// Ends the host, and says what of it was not as it must be: a process that
// crashed on the way, or was left.
export async function troubles(host) {
  const crashes = host.log.filter((line) =>
    /Sanitizer|runtime error|gateway ended|store ended|zygote ended/.test(line));
  const { exit, left } = await host.stop();
  return { exit, left, crashes };
}

export const noTroubles = { exit: { code: 0, signal: null }, left: [], crashes: [] };

// Each character of a text changed by one bit, and the text cut everywhere.
export function* spoilt(text, step = 1) {
  for (let i = 0; i < text.length; i += step) {
    const bit = String.fromCharCode(text.charCodeAt(i) ^ 1);
    const other = /[\w-]/.test(bit) ? bit : text[i] === 'A' ? 'B' : 'A';
    yield text.slice(0, i) + other + text.slice(i + 1);
    yield text.slice(0, i);
  }
  yield* [`${text}A`, `${text}=`, `A${text}`, text.toUpperCase(), text + text];
}
