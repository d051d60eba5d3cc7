// SPDX-License-Identifier: Apache-2.0

// A real cordon-egress without a host around it (tests/egress/egress-host.c):
// servers with their rules, and callers that speak frames (wire/egress.h).
//
//   const egress = await Egress.start(world);
//   await egress.server(7, { rules: ['https://api.acme.net'] });
//   const caller = await egress.caller(7);
//   const { status, text } = await caller.fetch('https://api.acme.net/echo');
//   await egress.stop();

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './paths.mjs';
import { NAMESERVER } from './world.mjs';
import { until } from './processes.mjs';

export const HEAD_BYTES = 40;
export const WINDOW = 256 << 10;
export const ROOM_MAX = 1 << 20;
export const DATA_MAX = 64 << 10;

export const frames = { FETCH: 67, BODY: 68, ROOM: 69, CANCEL: 70,
  PRINCIPAL: 71, HEAD: 72, DATA: 73, END: 74, FAIL: 75 };

// Over the store's stream.
export const records = { ASK: 77, TOLD: 78, REJECTED: 79 };

export const flags = { BODY: 1, FOLLOW: 2, REDIRECT_FAILS: 4 };

export const ends = ['OK', 'BAD', 'NO_RULE', 'ADDRESS', 'BUDGET', 'DNS',
  'CONNECT', 'TLS', 'PROTOCOL', 'TIMEOUT', 'TOO_LARGE', 'REDIRECT', 'MISMATCH',
  'SECRET', 'CANCELLED', 'CUT', 'INTERNAL'];

export function frame(type, number, code = 0, bytes = Buffer.alloc(0),
  length = bytes.length) {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  head.writeInt32LE(code, 8);
  head.writeUInt32LE(number, 12);
  return Buffer.concat([head, bytes]);
}

const strings = (words) => Buffer.from(words.map((word) => `${word}\0`).join(''),
  'latin1');

function pairs(bytes) {
  const words = bytes.toString('latin1').split('\0').slice(0, -1);
  const url = words.shift();
  const headers = [];
  for (let i = 0; i < words.length; i += 2) {
    headers.push([words[i].toLowerCase(), words[i + 1]]);
  }
  return { url, headers };
}

export class Egress {
  #asked = [];
  #told = new Map();
  #number = 0;
  events = [];
  rejected = [];
  log = '';

  // `denied`: prefixes of the operator's; `authority`: a PEM that TLS is ended
  // with; `loopback`: rules may name ports of localhost; `untold`: snapshot is
  // still to be said.
  static async start(world, { denied = [], authority, loopback, untold } = {}) {
    const egress = new Egress();
    Egress.#count += 1;
    egress.path = join(world.folder, `egress-${Egress.#count}`);
    egress.child = spawn(join(build, 'tests/egress/egress-host'),
      [join(build, 'cordon-egress'), egress.path, NAMESERVER, world.ca,
        ...denied],
      { stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env,
          ...authority && { EGRESS_AUTHORITY: authority },
          ...loopback && { EGRESS_LOOPBACK: '1' },
          ...untold && { EGRESS_UNTOLD: '1' } } });
    egress.child.stderr.on('data', (text) => { egress.log += text; });
    egress.child.stdin.on('error', () => {});
    egress.ended = new Promise((done) => egress.child.on('close', () => {
      for (const { fail } of egress.#asked) fail(new Error(egress.log));
      done();
    }));
    createInterface({ input: egress.child.stdout })
      .on('line', (line) => egress.#hear(line));
    egress.pid = Number((await egress.#answer()).split(' ')[1]);
    return egress;
  }

  static #count = 0;

  #hear(line) {
    if (line.startsWith('event ')) {
      this.events.push(JSON.parse(line.slice(6)));
      return;
    }
    if (line.startsWith('said ')) {
      this.#said(Buffer.from(line.slice(5), 'hex'));
      return;
    }
    const { done, fail } = this.#asked.shift();
    if (line.startsWith('ok')) done(line);
    else fail(new Error(line));
  }

  #answer() {
    return new Promise((done, fail) => this.#asked.push({ done, fail }));
  }

  tell(...words) {
    this.child.stdin.write(`${words.join('\t')}\n`);
    return this.#answer();
  }

  #said(bytes) {
    const number = bytes.readUInt32LE(12);
    const body = bytes.subarray(HEAD_BYTES);
    const text = (from, to) => body.subarray(from, to).toString('latin1').split('\0')[0];
    if (bytes.readUInt32LE(0) === records.REJECTED) {
      this.rejected.push({ deployment: body.readUInt32LE(0),
        principal: body.readUInt32LE(4), name: text(8, 72) });
      return;
    }
    const headLength = body.readUInt32LE(4);
    const rest = body.subarray(16 + headLength);
    const end = ends[bytes.readInt32LE(8)];
    this.#told.get(number)({ end, status: body.readUInt32LE(0),
      headers: pairs(Buffer.concat([Buffer.from('\0'),
        body.subarray(16, 16 + headLength)])).headers,
      bytes: rest, text: rest.toString(), length: body.readUInt32LE(8),
      get json() { return JSON.parse(this.text); } });
    this.#told.delete(number);
  }

  // The frame of a question, as the store sends it.
  askFrame(deployment, url, { method = 'GET', headers = {}, body = '',
    principal = 0, number = ++this.#number, headLength, bodyLength } = {}) {
    const head = strings([method, url, ...Object.entries(headers).flat()]);
    const bytes = Buffer.from(body);
    const ask = Buffer.alloc(16);
    [deployment, principal, headLength ?? head.length, bodyLength ?? bytes.length]
      .forEach((value, i) => ask.writeUInt32LE(value, 4 * i));
    return frame(records.ASK, number, 0, Buffer.concat([ask, head, bytes]));
  }

  raw(...frames) {
    return this.tell('raw', Buffer.concat(frames).toString('hex'));
  }

  // What the store is told: { end, status, headers, text, bytes }.
  async ask(deployment, url, options = {}) {
    const number = ++this.#number;
    const told = new Promise((done) => this.#told.set(number, done));
    await this.raw(this.askFrame(deployment, url, { ...options, number }));
    return told;
  }

  // What a server may do. Rules are texts, or { rule, methods } or { deny };
  // secrets: { name, kind, host, port, field, template, value, principal }.
  async server(id, { tenant = 'local', name = `s${id}`, rules = [],
    secrets = [], budget: { perMinute = 0, open = 0, perCaller = 0, bytesIn = 0,
      bytesOut = 0, bytesPerMinute = 0 } = {} } = {}) {
    await this.tell('server', id, tenant, name);
    await this.tell('budget', perMinute, open, perCaller, bytesIn, bytesOut,
      bytesPerMinute);
    for (const rule of rules) {
      if (rule.deny) await this.tell('deny', rule.deny);
      else await this.tell('rule', rule.rule ?? rule);
      if (rule.methods) await this.tell('methods', rule.methods);
    }
    for (const secret of secrets) {
      await this.tell('secret', secret.name, secret.kind ?? 'header',
        secret.host, secret.port ?? 443, secret.field ?? 'authorization',
        secret.template ?? 'Bearer {}', Buffer.from(secret.value).toString('hex'),
        secret.principal ?? 0);
    }
    await this.tell('commit');
    // It is heard when what was said behind it is answered.
    await this.ask(0xffffffff, 'https://nobody.acme.net/');
  }

  // A stream of fetches: of a cell, or (kind 'link') of the gateway.
  async caller(id, { kind = 'cell', number = 1 } = {}) {
    const socket = connect(this.path);
    socket.on('error', () => {});
    const caller = new Caller(socket); // its end may come first
    await this.tell('caller', id, kind, number);
    return caller;
  }

  async event(condition) {
    await until('an event', () => this.events.some(condition));
    return this.events.find(condition);
  }

  get descriptors() {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  get residentBytes() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  isAlive() {
    try {
      return !/State:\s+Z/.test(
        readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  }

  // It ended of itself.
  over() {
    return until('the end of egress', () => !this.isAlive());
  }

  async stop() {
    this.child.stdin.end();
    await this.ended;
  }
}

export class Caller {
  #rest = Buffer.alloc(0);
  #fetches = new Map();
  #last = 0;
  #strays = [];

  constructor(socket) {
    this.socket = socket;
    this.isOpen = true;
    socket.on('data', (bytes) => this.#take(bytes));
    this.closed = new Promise((done) => socket.on('close', () => {
      this.isOpen = false;
      for (const fetch of this.#fetches.values()) fetch.fail(-1, 'stream ended');
      done();
    }));
  }

  #take(bytes) {
    this.#rest = this.#rest.length === 0 ? bytes
      : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (this.#rest.length - at >= HEAD_BYTES) {
      const length = this.#rest.readUInt32LE(at + 4);
      if (this.#rest.length - at < HEAD_BYTES + length) break;
      this.#frame(this.#rest.readUInt32LE(at), this.#rest.readInt32LE(at + 8),
        this.#rest.readUInt32LE(at + 12),
        this.#rest.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length));
      at += HEAD_BYTES + length;
    }
    this.#rest = this.#rest.subarray(at);
  }

  #frame(type, code, number, bytes) {
    const fetch = this.#fetches.get(number);
    if (fetch === undefined) {
      this.#strays.push({ type, code, number });
      return;
    }
    fetch.hear(type, code, bytes);
    if (fetch.isOver) this.#fetches.delete(number);
  }

  write(bytes) {
    return this.socket.write(bytes);
  }

  // A fetch under way: { headed, over } are promises.
  open(url, { method = 'GET', headers = [], body, follow = true,
    redirectFails = false, stream = false, keep = true, take = true,
    number } = {}) {
    this.#last = number ?? this.#last + 1;
    const fetch = new Fetch(this, this.#last, { keep, take });
    if (!this.isOpen) fetch.fail(-1, 'stream ended');
    this.#fetches.set(this.#last, fetch);
    const hasBody = body !== undefined || stream;
    const list = Array.isArray(headers) ? headers : Object.entries(headers);
    if (body !== undefined) list.push(['content-length', body.length]);
    this.write(frame(frames.FETCH, fetch.number,
      (hasBody ? flags.BODY : 0) | (follow ? flags.FOLLOW : 0) |
      (redirectFails ? flags.REDIRECT_FAILS : 0),
      strings([method, url, ...list.flat()])));
    if (body !== undefined) fetch.send(Buffer.from(body)).then(() => fetch.sent());
    return fetch;
  }

  // The whole of it: { end, status, headers, text, bytes, url }.
  fetch(url, options) {
    return this.open(url, options).over;
  }

  principal(id) {
    this.write(frame(frames.PRINCIPAL, 0, id));
  }

  async close() {
    this.socket.destroy();
    await this.closed;
  }
}

class Fetch {
  #room = WINDOW;
  #want = () => {};
  #chunks = [];
  #unread = 0;
  size = 0;
  isOver = false;

  constructor(caller, number, { keep, take }) {
    this.caller = caller;
    this.number = number;
    this.keep = keep;
    this.takes = take;
    this.over = new Promise((done) => { this.finish = done; });
    this.headed = new Promise((done) => { this.headDone = done; });
  }

  hear(type, code, bytes) {
    if (type === frames.HEAD) {
      this.status = code;
      Object.assign(this, pairs(bytes));
      this.headDone(this);
    } else if (type === frames.DATA) {
      this.size += bytes.length;
      if (this.keep) this.#chunks.push(bytes);
      this.#unread += bytes.length;
      this.heard?.();
      if (this.takes) this.more();
    } else if (type === frames.ROOM) {
      this.#room += code;
      this.#want();
    } else if (type === frames.END) {
      this.#end(0, '');
    } else if (type === frames.FAIL) {
      this.fail(code, bytes.toString());
    }
  }

  // Room for what was read, in pieces worth a frame.
  more() {
    if (this.#unread < WINDOW / 4) return;
    this.caller.write(this.room(this.#unread));
    this.#unread = 0;
  }

  room(bytes) {
    return frame(frames.ROOM, this.number, bytes);
  }

  fail(code, text) {
    this.#end(code, text);
  }

  #end(code, text) {
    if (this.isOver) return;
    this.isOver = true;
    const bytes = Buffer.concat(this.#chunks);
    this.headDone(this);
    this.#want();
    this.finish({ end: code < 0 ? 'STREAM' : ends[code], error: text,
      status: this.status, url: this.url, headers: this.headers, bytes,
      size: this.size, text: bytes.toString(),
      get json() { return JSON.parse(this.text); } });
  }

  async send(bytes) {
    for (let at = 0; at < bytes.length && !this.isOver;) {
      if (this.#room === 0) {
        await new Promise((done) => { this.#want = done; });
        continue;
      }
      const n = Math.min(this.#room, DATA_MAX, bytes.length - at);
      this.#room -= n;
      this.caller.write(frame(frames.BODY, this.number, 0,
        bytes.subarray(at, at + n)));
      at += n;
    }
  }

  sent() {
    if (!this.isOver) this.caller.write(frame(frames.BODY, this.number));
  }

  cancel() {
    this.caller.write(frame(frames.CANCEL, this.number));
  }
}
