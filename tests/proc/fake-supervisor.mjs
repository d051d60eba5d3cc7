// SPDX-License-Identifier: Apache-2.0

// A real store in its box (tests/unit/store/launch.c plays the supervisor), and
// the gateway's end of its stream: frames of src/wire/registry.h.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build, patience } from '../lib/paths.mjs';

export const TYPE = {
  KEY: 1, TENANT: 2, TOKEN: 3, SERVER: 4, ENDED: 5, SNAPSHOT: 6, REPLY: 7,
  ADMIN: 8, AUDIT: 9, SURFACE: 10, KEPT: 11, KNOWN: 12,
};

const HEAD = 40;
const states = ['quarantined', 'approved', 'changed', 'denied'];

export const hashOf = (token) => createHash('sha256').update(token).digest();

const textAt = (bytes, at, size) =>
  bytes.toString('latin1', at, at + size).replace(/\0.*$/s, '');

const parsers = {
  [TYPE.TENANT]: (b) => ({ id: b.readUInt32LE(0), gone: b.readUInt32LE(4),
    name: textAt(b, 8, 64), requests: b.readUInt32LE(72) }),
  [TYPE.TOKEN]: (b) => ({ id: b.readUInt32LE(0), gone: b.readUInt32LE(4),
    tenant: b.readUInt32LE(8), scopes: b.readUInt32LE(12),
    expires: Number(b.readBigUInt64LE(16)), hash: b.subarray(24, 56),
    name: textAt(b, 56, 64), servers: textAt(b, 120, 1024) }),
  [TYPE.SERVER]: (b) => ({ id: b.readUInt32LE(0), gone: b.readUInt32LE(4),
    tenant: b.readUInt32LE(8), state: states[b.readUInt32LE(12)],
    name: textAt(b, 172, 64), tenantName: textAt(b, 236, 64) }),
  [TYPE.ENDED]: (b) => ({ session: b.toString('hex', 0, 16),
    until: Number(b.readBigUInt64LE(16)) }),
  [TYPE.KEPT]: (b) => ({ boot: textAt(b, 0, 12),
    sequence: Number(b.readBigUInt64LE(16)) }),
};

export function frame(type, body = Buffer.alloc(0), { id = 0, len } = {}) {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(len ?? body.length, 4);
  head.writeUInt32LE(id, 12);
  return Buffer.concat([head, body]);
}

export function adminBody(token, method, path, body, request = 'req-1') {
  const fixed = Buffer.alloc(572);
  (Buffer.isBuffer(token) ? token : hashOf(token)).copy(fixed);
  fixed.write(method, 32, 8, 'latin1');
  fixed.write(path, 40, 512, 'latin1');
  fixed.write(request, 552, 20, 'latin1');
  return Buffer.concat([fixed, Buffer.from(body)]);
}

let lastSequence = 0;

export function auditBody(action, detail, { principal = 1, tenant = 1,
  boot = 'a gateway', sequence = ++lastSequence } = {}) {
  const fixed = Buffer.alloc(80);
  fixed.writeUInt32LE(principal, 0);
  fixed.writeUInt32LE(tenant, 4);
  fixed.write('req-2', 8, 20, 'latin1');
  fixed.write(action, 28, 32, 'latin1');
  fixed.write(boot, 60, 12, 'latin1');
  fixed.writeBigUInt64LE(BigInt(sequence), 72);
  return Buffer.concat([fixed, Buffer.from(detail)]);
}

export class Store {
  // folder: kept where it is given, so that another store can take it over.
  // before: a command that runs the rest of its words. keys: the vault's.
  static async start(t, folder, before = [], keys = null) {
    const store = new Store();
    Store.last = store;
    store.folder = folder ?? mkdtempSync(join(tmpdir(), 'cordon-store-'));
    store.log = '';
    store.messages = [];
    store.frames = [];
    store.waiters = new Set();
    store.replies = new Map();
    store.asked = new Map();
    store.nextId = 1;
    const [program, ...words] = [...before, join(build, 'tests/unit/store/launch-store'),
      join(build, 'cordon-store'), store.folder, ...(keys ? [keys] : [])];
    store.helper = spawn(program, words,
      { stdio: Array(7).fill('pipe') });
    store.helper.stdin.on('error', () => {});
    store.helper.stderr.setEncoding('utf8')
      .on('data', (text) => { store.log += text; });
    createInterface({ input: store.helper.stdout }).on('line', (line) => {
      store.messages.push(JSON.parse(line));
      store.wake();
    });
    store.ended = new Promise((done) => store.helper.on('close', done));
    store.takeOver(3);
    t.after(async () => {
      await store.stop();
      if (!folder) rmSync(store.folder, { recursive: true, force: true });
    });
    await store.until('a snapshot', () => store.frames.some(
      ({ type }) => type === TYPE.SNAPSHOT) || store.exit);
    return store;
  }

  get pid() { return this.messages[0].pid; }

  get exit() { return this.messages.find((m) => 'exit' in m); }

  // The stream on this descriptor of the helper is the gateway's.
  takeOver(fd) {
    const stream = this.helper.stdio[fd];
    let pending = Buffer.alloc(0);
    this.stream = stream;
    this.closed = new Promise((done) => stream.on('close', done));
    stream.on('error', () => {});
    stream.on('data', (bytes) => {
      pending = this.take(Buffer.concat([pending, bytes]));
    });
  }

  // The next gateway: its own stream, a snapshot of its own.
  async relink() {
    this.frames = [];
    this.takeOver(4);
    this.operator('link');
    await this.until('a snapshot', () => this.frames.some(
      ({ type }) => type === TYPE.SNAPSHOT));
  }

  // Egress' end of its stream, of a descriptor of the helper (5, 6).
  egress(fd) {
    this.operator(`egress ${fd}`);
    return new EgressEnd(this, this.helper.stdio[fd]);
  }

  wake() { for (const wake of this.waiters) wake(); }

  // Whole frames; what is left of the bytes.
  take(bytes) {
    let at = 0;
    while (bytes.length - at >= HEAD) {
      const len = bytes.readUInt32LE(at + 4);
      if (bytes.length - at < HEAD + len) break;
      const type = bytes.readUInt32LE(at);
      const code = bytes.readInt32LE(at + 8);
      const id = bytes.readUInt32LE(at + 12);
      const body = Buffer.from(bytes.subarray(at + HEAD, at + HEAD + len));
      at += HEAD + len;
      if (type === TYPE.REPLY) {
        this.replies.get(id)?.({ status: code,
          ...this.asked.get(id), json: len > 0 ? JSON.parse(body) : null });
        this.replies.delete(id);
      } else {
        this.frames.push({ type, id, body, ...parsers[type]?.(body) });
      }
    }
    this.wake();
    return bytes.subarray(at);
  }

  // Waits for what the store says, not for a time.
  async until(what, condition, withinMs = 20_000) {
    const end = Date.now() + withinMs * patience;
    for (;;) {
      const found = condition();
      if (found) return found;
      if (Date.now() > end) throw new Error(`no ${what}: ${this.log}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 200);
        const wake = () => { clearTimeout(timer); this.waiters.delete(wake); resolve(); };
        this.waiters.add(wake);
      });
    }
  }

  send(...args) { this.stream.write(frame(...args)); }

  // An admin request; { status, json }, or null where the store ended first.
  ask(method, path, body = '', token = 'letmein') {
    const id = this.nextId++;
    const text = typeof body === 'string' || Buffer.isBuffer(body)
      ? body : JSON.stringify(body);
    this.asked.set(id, { method, path });
    const answer = new Promise((done) => {
      this.replies.set(id, done);
      this.closed.then(() => done(null));
    });
    this.send(TYPE.ADMIN, adminBody(token, method, path, text), { id });
    return answer;
  }

  audit(action, detail = '{}', who) {
    this.send(TYPE.AUDIT, auditBody(action, detail, who));
  }

  operator(line) { this.helper.stdin.write(`${line}\n`); }

  // All of the operator's servers; what COMMITTED says.
  async commit(...lines) {
    const before = this.messages.length;
    for (const line of lines) this.operator(line);
    this.operator('commit');
    const committed = await this.until('COMMITTED', () =>
      this.messages.slice(before).find((m) => m.type === 'COMMITTED'));
    await this.settle();
    return committed;
  }

  // What was told before is here: the stream keeps its order.
  settle() { return this.ask('GET', '/tenants'); }

  told(what, condition) {
    return this.until(what, () => this.messages.find(condition));
  }

  // The newest record of each server, by name, that has not gone.
  servers() {
    const known = new Map();
    for (const one of this.frames)
      if (one.type === TYPE.SERVER) known.set(one.id, one);
    return Object.fromEntries([...known.values()].filter((one) => !one.gone)
      .map((one) => [`${one.tenantName}/${one.name}`, one.state]));
  }

  // What the supervisor would run now.
  deployed() {
    const known = new Map();
    for (const message of this.messages) {
      if (message.type?.startsWith('DEPLOY')) known.set(message.id, message.name);
      if (message.type === 'UNDEPLOY') known.delete(message.id);
    }
    return [...known.values()].sort();
  }

  kill(signal = 'SIGKILL') { process.kill(this.pid, signal); }

  async stop() {
    this.helper.stdin.end();
    for (const fd of [3, 4, 5, 6]) this.helper.stdio[fd].destroy();
    await this.ended;
    return this.exit;
  }
}

const ASK = 77;
const TOLD = 78;
const REJECTED = 79;
const schemes = { 1: 'http', 2: 'https', 4: 'tcp' };

// What the store says to egress (src/wire/egress.h), record by record, and what
// it asks.
class EgressEnd {
  constructor(store, stream) {
    this.store = store;
    this.stream = stream;
    this.records = []; // in their order
    this.asks = []; // the same; who sets `onAsk` answers them
    this.closed = new Promise((done) => stream.on('close', done));
    let pending = Buffer.alloc(0);
    stream.on('error', () => {});
    stream.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      while (pending.length >= HEAD && pending.length >= HEAD + pending.readUInt32LE(4)) {
        const len = pending.readUInt32LE(4);
        const [type, number] = [pending.readUInt32LE(0), pending.readUInt32LE(12)];
        const body = Buffer.from(pending.subarray(HEAD, HEAD + len));
        if (type === ASK) this.ask(number, body);
        else this.records.push(EgressEnd.parse(type, number, body));
        pending = pending.subarray(HEAD + len);
      }
      store.wake();
    });
  }

  static parse(type, id, b) {
    if (type === 65) return { type: 'GONE', id };
    if (type === 66) return { type: 'SNAPSHOT' };
    assert.equal(type, 64);
    const n = b.readUInt32LE(168);
    const rules = Array.from({ length: n }, (_, i) => {
      const at = 176 + i * 518;
      return { scheme: schemes[b[at + 512]] ?? '', host: textAt(b, at, 254),
        path: textAt(b, at + 254, 256), port: b.readUInt16LE(at + 510),
        suffix: b[at + 513], methods: b[at + 514], flags: b[at + 515] };
    });
    // In clear: egress alone is told them so.
    const clear = Array.from({ length: b.readUInt32LE(172) }, (_, i) => {
      const at = 176 + n * 518 + i * 4556;
      return { name: textAt(b, at, 64), host: textAt(b, at + 64, 254),
        port: b.readUInt16LE(at + 318), kind: b.readUInt16LE(at + 320),
        principal: b.readUInt32LE(at + 324), field: textAt(b, at + 328, 64),
        template: textAt(b, at + 392, 64),
        value: b.toString('latin1', at + 460, at + 460 + b.readUInt32LE(at + 456)) };
    });
    return { type: 'SERVER', id, clear, tenant: textAt(b, 0, 64), name: textAt(b, 64, 64),
      requests: b.readUInt32LE(128), concurrent: b.readUInt32LE(132),
      bytesIn: Number(b.readBigUInt64LE(144)), secrets: b.readUInt32LE(172), rules };
  }

  ask(number, b) {
    const headLen = b.readUInt32LE(8);
    const [method, url, ...pairs] = b.toString('latin1', 16, 16 + headLen).split('\0');
    const headers = {};
    for (let i = 0; i + 1 < pairs.length; i += 2)
      headers[pairs[i].toLowerCase()] = pairs[i + 1];
    const ask = { number, deployment: b.readUInt32LE(0), principal: b.readUInt32LE(4),
      method, url, headers, body: b.toString('utf8', 16 + headLen) };
    assert.equal(b.length, 16 + headLen + b.readUInt32LE(12));
    this.asks.push(ask);
    this.onAsk?.(ask);
  }

  // How an ask ended: { status, headers, body }, or { end, text }.
  tell({ number }, { status = 200, headers = {}, body = '', end = 0, text = '' }) {
    const head = Buffer.from(end ? '' : Object.entries(headers)
      .flatMap(([name, values]) => [values].flat().map((value) => `${name}\0${value}\0`))
      .join(''), 'latin1');
    const bytes = Buffer.from(end ? text
      : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
    const told = Buffer.alloc(16);
    told.writeUInt32LE(end ? 0 : status, 0);
    told.writeUInt32LE(head.length, 4);
    told.writeUInt32LE(bytes.length, 8);
    this.say(TOLD, Buffer.concat([told, head, bytes]), { id: number, code: end });
  }

  // A server answered 401 to a token.
  reject(deployment, principal = 0, name = 'OAUTH_TOKEN') {
    const body = Buffer.alloc(72);
    body.writeUInt32LE(deployment, 0);
    body.writeUInt32LE(principal, 4);
    body.write(name, 8, 64, 'latin1');
    this.say(REJECTED, body);
  }

  say(type, body, { id = 0, code = 0 } = {}) {
    const bytes = frame(type, body, { id });
    bytes.writeInt32LE(code, 8);
    this.stream.write(bytes);
  }

  // What egress would know now, by name: of each its rules, as texts.
  get knows() {
    const known = new Map();
    for (const record of this.records) {
      if (record.type === 'SERVER') known.set(record.id, record);
      if (record.type === 'GONE') known.delete(record.id);
    }
    return Object.fromEntries([...known.values()].map((one) =>
      [`${one.tenant}/${one.name}`, one.rules.map((r) => (r.flags & 1 ? '!' : '') +
        `${r.scheme}://${r.suffix ? '*.' : ''}${r.host}:${r.port}${r.path}`).sort()]));
  }

  snapshot() {
    return this.store.until('a snapshot for egress',
      () => this.records.some(({ type }) => type === 'SNAPSHOT'));
  }
}

export const tool = (name, text = 'function run() { return 1 }', more = {}) =>
  ({ name, kind: 'isolate', files: [{ path: 'tool.js', text }], ...more });
