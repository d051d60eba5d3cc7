// SPDX-License-Identifier: Apache-2.0

// The gateway's client-facing half, alone (front-host.c), and a client that
// says exactly what a test wants said.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../lib/paths.mjs';

export const MODERN = '2026-07-28';
export const LEGACY = '2025-11-25';

// The events of a stream, one by one; comments count as {comment}.
export class Events {
  constructor(response, abort) {
    this.reader = response.body.getReader();
    this.abort = abort;
    this.text = '';
    this.decoder = new TextDecoder();
  }

  // The next event, {id, event, data, retry, json}; null: the stream ended.
  async next() {
    for (;;) {
      const end = this.text.indexOf('\n\n');
      if (end >= 0) {
        const lines = this.text.slice(0, end).split('\n');
        this.text = this.text.slice(end + 2);
        const event = {};
        for (const line of lines) {
          const [, name, value] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
          event[name === '' ? 'comment' : name] = value;
        }
        if (event.data) event.json = JSON.parse(event.data);
        return event;
      }
      const { value, done } = await this.reader.read();
      if (done) return null;
      this.text += this.decoder.decode(value, { stream: true });
    }
  }

  async all() {
    const events = [];
    for (let event; (event = await this.next()) !== null;) events.push(event);
    return events;
  }
}

export class Front {
  static async start({ idle = 600, perPrincipal = 1000, resume = 65536,
    ask = 60 } = {}) {
    const front = new Front();
    front.log = '';
    front.child = spawn(join(build, 'tests/proc/front-host'),
      [idle, perPrincipal, resume, ask].map(String),
      { stdio: ['pipe', 'pipe', 'inherit'] });
    front.ended = once(front.child, 'exit');
    front.child.stdout.setEncoding('utf8')
      .on('data', (text) => { front.log += text; });
    await front.until(() => /^port \d+$/m.test(front.log));
    front.port = /^port (\d+)$/m.exec(front.log)[1];
    front.id = 0;
    return front;
  }

  async until(condition, withinMs = 15_000) {
    const end = Date.now() + withinMs;
    while (!await condition()) {
      if (Date.now() > end) {
        throw new Error(`it did not come to ${condition}: ${this.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  // Everything is given back: nobody is held, nothing runs.
  async stop() {
    this.child.stdin.end();
    const [code, signal] = await this.ended;
    assert.equal(code, 0, `${signal}`);
    assert.match(this.log, /^users 0 0 0$/m);
  }

  async restart(options) {
    await this.stop();
    return Front.start(options);
  }

  // Bytes of it that are resident.
  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) * 1024;
  }

  http(path, options = {}) {
    return fetch(`http://127.0.0.1:${this.port}${path}`, {
      ...options,
      headers: { accept: 'application/json, text/event-stream',
        ...options.headers },
    });
  }

  async counts() {
    return (await this.http('/counts')).json();
  }

  post(message, headers = {}, { path = '/s/one/mcp', signal } = {}) {
    return this.http(path, {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
  }

  // A session's headers.
  async open(capabilities = {}, { version = LEGACY, headers = {}, path } = {}) {
    const response = await this.post({ jsonrpc: '2.0', id: 0,
      method: 'initialize', params: { protocolVersion: version, capabilities,
        clientInfo: { name: 't', version: '1' } } }, headers, { path });
    assert.equal(response.status, 200);
    await response.json();
    return { ...headers,
      'mcp-session-id': response.headers.get('mcp-session-id'),
      'mcp-protocol-version': version };
  }

  request(method, params, id = ++this.id) {
    return { jsonrpc: '2.0', id, method, params };
  }

  call(name, headers, args = {}, options) {
    return this.post(this.request('tools/call',
      { name, arguments: args, _meta: { progressToken: 'mine' } },
      options?.id), headers, options);
  }

  // A request as the modern era has it.
  modern(method, params = {}, { can = {}, meta = {}, headers = {}, signal,
    id = ++this.id, path } = {}) {
    const name = params.name ?? params.uri;
    return this.post({ jsonrpc: '2.0', id, method, params: { ...params,
      _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientCapabilities': can, ...meta } } },
    { 'mcp-protocol-version': MODERN, 'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }), ...headers },
    { signal, path });
  }
}

export function events(response) {
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('x-accel-buffering'), 'no');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  return new Events(response);
}
