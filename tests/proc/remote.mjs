// SPDX-License-Identifier: Apache-2.0

// A gateway with one remote server, by way of an egress that is the test's.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { messageOf } from '../lib/mcp.mjs';
import { FakeEgress } from './fake-egress.mjs';
import { Gateway } from './fake-gateway.mjs';

export const ORIGIN = 'https://mcp.example.com';

// An HTTP server of the test's: handle(request, response, body).
export async function serve(t, handle) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    request.on('error', () => {});
    response.on('error', () => {});
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    let body;
    try { body = JSON.parse(text); } catch { body = text; }
    await handle(request, response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}`;
}

export const json = (response, body, { status = 200, ...headers } = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body));

export const answer = (response, { id }, result, headers) =>
  json(response, { jsonrpc: '2.0', id, result }, headers);

export const refuse = (response, { id = null }, status, message = 'no') =>
  json(response, { jsonrpc: '2.0', id, error: { code: -32000, message } }, { status });

export const events = (response, headers = {}) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
  response.flushHeaders();
};
export const event = (response, message, { id, name } = {}) => response.write(
  (id === undefined ? '' : `id: ${id}\n`) + (name === undefined ? '' : `event: ${name}\n`) +
  `data: ${typeof message === 'string' ? message : JSON.stringify(message)}\n\n`);

const hello = (version) => ({ protocolVersion: version,
  capabilities: { tools: { listChanged: true } }, serverInfo: { name: 'hand', version: '1' } });

// A legacy server by hand: what it does in a call is the test's. `sessions` is
// those that are open; what a handler does not take, this answers.
export function legacy({ call, sessions = new Set(), version = '2025-06-18', stream,
  tools = [{ name: 't', inputSchema: { type: 'object' } }], take } = {}) {
  let last = 0;
  return async (request, response, body) => {
    const session = request.headers['mcp-session-id'];
    if (await take?.(request, response, body)) return;
    if (request.method === 'DELETE') {
      sessions.delete(session);
      response.writeHead(200).end();
    } else if (request.method === 'GET') {
      if (stream) await stream(request, response);
      else response.writeHead(405).end();
    } else if (body.method === 'initialize') {
      const id = `s-${++last}`;
      sessions.add(id);
      answer(response, body, hello(version), { 'mcp-session-id': id });
    } else if (body.method === 'server/discover') {
      refuse(response, body, 400, 'Bad Request: Server not initialized');
    } else if (!sessions.has(session)) {
      refuse(response, body, 404, 'Session not found');
    } else if (body.id === undefined || body.method === undefined) {
      response.writeHead(202).end();
    } else if (body.method === 'tools/list') {
      answer(response, body, { tools });
    } else if (body.method === 'ping') {
      answer(response, body, {});
    } else {
      await call(request, response, body);
    }
  };
}

export const text = (words) => ({ content: [{ type: 'text', text: words }] });

// base: where the server is. server: more of its record.
export async function start(t, base, { origin = ORIGIN, path = '/mcp', ...server } = {}) {
  const egress = await FakeEgress.start({ [origin]: base });
  const gateway = await Gateway.start('-v', (store) => {
    store.usual();
    store.token(2, 'second');
    store.server(60, 'r', { kind: 3, url: origin + path, wallMs: 10_000,
      resultBytes: 1 << 20, ...server });
    store.snapshot();
  }, { FAKE_EGRESS: egress.path });
  t.after(async () => {
    assert.equal(await gateway.stop(), 0, gateway.log);
    await egress.stop();
  });
  let lastId = 0;
  return {
    egress,
    gateway,
    async send(method, params = {}, { headers, ...options } = {}) {
      const response = await gateway.fetch('/s/r/mcp', { method: 'POST',
        headers: { 'content-type': 'application/json',
          accept: 'application/json, text/event-stream', ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params }), ...options });
      return { status: response.status, ...await messageOf(response) };
    },
    call(name, args = {}, options) {
      return this.send('tools/call', { name, arguments: args }, options);
    },
    // Requests that reached egress, of this JSON-RPC method.
    of: (method) => egress.seen.filter(({ body }) =>
      body !== '' && JSON.parse(body).method === method),
  };
}
