// SPDX-License-Identifier: Apache-2.0

// A real gateway over a pool without cells (tests/unit/gateway/fake_pool.c):
// what a call does is said by its tool's name or its path.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../lib/paths.mjs';
import { FakeStore } from './fake-store.mjs';

const folder = join(build, 'tests/unit/gateway');

export class Gateway {
  // Flags are launch-gateway's; a function writes what the store says instead
  // of the usual; null: no store comes yet.
  // An object at their end is the environment's.
  static async start(...flags) {
    const env = typeof (flags.at(-1) ?? '') === 'object' ? flags.pop() : {};
    const says = typeof flags.at(-1) === 'string' || flags.length === 0
      ? (store) => store.usual().snapshot() : flags.pop();
    const gateway = new Gateway();
    gateway.log = '';
    gateway.folder = mkdtempSync(join(tmpdir(), 'gateway-'));
    gateway.child = spawn(join(folder, 'launch-gateway'),
      [...flags, join(folder, 'fake-gateway'), gateway.folder],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    gateway.ended = once(gateway.child, 'exit');
    gateway.child.stderr.setEncoding('utf8')
      .on('data', (text) => { gateway.log += text; });
    const [first] = await once(gateway.child.stdout, 'data');
    gateway.layout = JSON.parse(first);
    gateway.port = gateway.layout.port;
    gateway.scheme = flags.includes('-t') ? 'https' : 'http';
    await gateway.until(() => gateway.log.includes('serving'));
    if (says) {
      says(await gateway.connectStore());
      await gateway.until(async () =>
        (await gateway.answer('/readyz')).status === 200);
    }
    return gateway;
  }

  command(line) { this.child.stdin.write(`${line}\n`); }

  // A store comes (again).
  async connectStore() {
    this.command('store');
    this.store = await new FakeStore(this.layout)
      .connect(join(this.folder, 'store'));
    return this.store;
  }

  // Egress comes (again): its end of the stream of events.
  async connectEgress() {
    this.command('egress');
    this.egress = connect(join(this.folder, 'egress'));
    await once(this.egress, 'connect');
    this.egress.on('error', () => {});
    this.egressClosed = new Promise((done) => this.egress.on('close', done));
  }

  // One event of wire/egress.h, as bytes; `unit`: 1 a cell, 2 a link.
  event({ deployment = 1, unit = 0, number = 0, end = 0, status = 0, ...more } = {}) {
    const { layout } = this;
    const bytes = Buffer.alloc(layout.frame + layout.event);
    bytes.writeUInt32LE(76, 0); // WIRE_EGRESS_EVENT
    bytes.writeUInt32LE(layout.event, layout['frame.len']);
    const b = bytes.subarray(layout.frame);
    [deployment, unit, number, end, status].forEach((n, i) => b.writeUInt32LE(n, 4 * i));
    b.writeUInt32LE(more.lost ?? 0, layout['event.lost']);
    for (const name of ['bytes_in', 'bytes_out', 'ms'])
      b.writeBigUInt64LE(BigInt(more[name] ?? 0), layout[`event.${name}`]);
    b.writeUInt16LE(more.port ?? 443, layout['event.port']);
    b.writeUInt8(more.scheme ?? 2, layout['event.scheme']);
    b.writeUInt8(more.refused ?? 0, layout['event.refused']);
    for (const name of ['method', 'host', 'path', 'text'])
      Buffer.from(more[name] ?? '').copy(b, layout[`event.${name}`]);
    return bytes;
  }

  tell(...events) {
    this.egress.write(Buffer.concat(events.map((one) => this.event(one))));
  }

  // One request by hand, on whatever the options name: TCP, TLS, the socket.
  answer(path, { method = 'GET', headers = {}, body, ...options } = {}) {
    return new Promise((resolve, reject) => {
      const of = this.scheme === 'https' ? httpsRequest : httpRequest;
      of({ port: this.port, host: '127.0.0.1', path, method,
        rejectUnauthorized: false, agent: false, ...options,
        headers: { authorization: 'Bearer letmein', ...headers } },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject).on('end', () => resolve({
          status: response.statusCode, headers: response.headers,
          text: Buffer.concat(chunks).toString(),
          get json() { return JSON.parse(this.text); },
        }));
      }).on('error', reject).end(body);
    });
  }

  // Waits for what the gateway's own words or counters show.
  async until(condition, withinMs = 10_000) {
    const end = Date.now() + withinMs;
    while (!await condition()) {
      if (Date.now() > end) {
        throw new Error(`it did not come to ${condition}: ${this.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  // Ends it as a supervisor does; the exit code, or the signal's name.
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const [code, killedBy] = await this.ended;
    this.store?.socket.destroy();
    this.egress?.destroy();
    rmSync(this.folder, { recursive: true, force: true });
    return code ?? killedBy;
  }

  fetch(path, options = {}) {
    return fetch(`http://127.0.0.1:${this.port}${path}`, {
      ...options,
      headers: { authorization: 'Bearer letmein', ...options.headers },
    });
  }

  post(path, message, headers = {}) {
    return this.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
  }

  // A call of a tool by a legacy client: the result, or the error.
  async call(tool, args, headers) {
    const response = await this.post('/s/tools/mcp', {
      jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: { name: tool, arguments: args },
    }, headers);
    return { status: response.status, ...await response.json() };
  }

  async metric(name) {
    const text = await (await this.fetch('/metrics')).text();
    return Number(text.match(new RegExp(`^cordon_${name} (\\d+)`, 'm'))[1]);
  }

  // Bytes as they are; everything that comes back until the end.
  raw(...pieces) {
    return this.open(...pieces).answer;
  }

  // The same, with the socket to go on with.
  open(...pieces) {
    const socket = connect(this.port, '127.0.0.1');
    const chunks = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    const answer = new Promise((resolve) => {
      const settle = () => resolve(Buffer.concat(chunks).toString('latin1'));
      socket.on('error', settle).on('close', settle);
    });
    for (const piece of pieces) socket.write(piece);
    return { socket, answer, soFar: () => Buffer.concat(chunks).toString('latin1') };
  }
}

// A head with what every request needs; lines replace or add.
export const head = (requestLine, ...lines) => [
  requestLine, 'Host: localhost', 'Authorization: Bearer letmein', ...lines,
  '', ''].join('\r\n');

export const statusOf = (answer) =>
  [...answer.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((m) => Number(m[1]));

const META = 'io.modelcontextprotocol/';

// A request of the modern era and the headers that belong to it.
export function modern(method, params = {}, headers = {}) {
  return [
    { jsonrpc: '2.0', id: 'm-1', method, params: { ...params, _meta: {
      [`${META}protocolVersion`]: '2026-07-28',
      [`${META}clientCapabilities`]: {},
    } } },
    { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method,
      ...params.name && { 'mcp-name': params.name }, ...headers },
  ];
}
