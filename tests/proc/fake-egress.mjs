// SPDX-License-Identifier: Apache-2.0

// Egress' end of a gateway's streams of fetches (src/wire/egress.h), without a
// rule or a check: what is asked of an origin goes to a server of the test's.

import { request as httpRequest } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const FRAME = { FETCH: 67, BODY: 68, ROOM: 69, CANCEL: 70, PRINCIPAL: 71,
  HEAD: 72, DATA: 73, END: 74, FAIL: 75 };
export const END = { NO_RULE: 2, CONNECT: 6 };

const HEAD_BYTES = 40;
const WINDOW = 256 << 10;
const PIECE = 64 << 10;

function frame(type, number, code = 0, bytes = Buffer.alloc(0)) {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(bytes.length, 4);
  head.writeInt32LE(code, 8);
  head.writeUInt32LE(number, 12);
  return Buffer.concat([head, bytes]);
}

const strings = (...texts) => Buffer.from(texts.map((text) => `${text}\0`).join(''));

// One fetch: the request goes on as it comes, the answer as there is room.
class Fetch {
  constructor(stream, number, flags, bytes) {
    const [method, url, ...pairs] = bytes.toString('latin1').split('\0').slice(0, -1);
    Object.assign(this, { stream, number, method, url, room: WINDOW, pending: [] });
    this.headers = {};
    for (let i = 0; i < pairs.length; i += 2) this.headers[pairs[i]] = pairs[i + 1];
    this.seen = { method, url, headers: this.headers, principal: stream.principal,
      body: '', cancelled: false, at: Date.now() };
    stream.egress.seen.push(this.seen);
    this.start((flags & 1) !== 0);
  }

  start(hasBody) {
    const { egress } = this.stream;
    const refusal = egress.refuse?.(this.seen);
    if (refusal) {
      this.fail(...refusal);
      return;
    }
    const { origin, pathname, search } = new URL(this.url);
    const place = egress.places[origin];
    if (!place) {
      this.fail(END.NO_RULE, `no rule allows ${this.url}`);
      return;
    }
    this.request = httpRequest(place + pathname + search,
      { method: this.method, headers: { ...this.headers,
        'x-principal': this.seen.principal } }, (response) => this.answer(response));
    this.request.on('error', (error) => this.fail(END.CONNECT, error.message));
    if (!hasBody) this.request.end();
  }

  body(bytes) {
    if (!this.request) return;
    if (bytes.length === 0) this.request.end();
    else {
      this.seen.body += bytes;
      this.request.write(bytes);
      this.stream.send(frame(FRAME.ROOM, this.number, bytes.length));
    }
  }

  answer(response) {
    this.response = response;
    const { rawHeaders } = response;
    this.stream.send(frame(FRAME.HEAD, this.number, response.statusCode,
      strings(this.url, ...rawHeaders)));
    response.on('data', (bytes) => {
      this.pending.push(bytes);
      this.flow();
    });
    response.on('end', () => { this.ended = true; this.flow(); });
    response.on('error', (error) => this.fail(END.CONNECT, error.message));
  }

  flow() {
    while (this.pending.length > 0 && this.room > 0) {
      const first = this.pending.shift();
      const n = Math.min(first.length, this.room, PIECE);
      if (n < first.length) this.pending.unshift(first.subarray(n));
      this.room -= n;
      this.stream.egress.mostAhead = Math.max(this.stream.egress.mostAhead, WINDOW - this.room);
      this.stream.send(frame(FRAME.DATA, this.number, 0, first.subarray(0, n)));
    }
    if (this.ended && this.pending.length === 0 && !this.over) {
      this.over = true;
      this.stream.fetches.delete(this.number);
      this.stream.send(frame(FRAME.END, this.number));
    }
  }

  fail(code, text) {
    if (this.over) return;
    this.over = true;
    this.stream.fetches.delete(this.number);
    this.stream.send(frame(FRAME.FAIL, this.number, code, Buffer.from(text)));
  }

  cancel() {
    this.over = true;
    this.seen.cancelled = true;
    this.stream.fetches.delete(this.number);
    this.request?.destroy();
  }
}

class Stream {
  constructor(egress, socket) {
    Object.assign(this, { egress, socket, principal: 0, fetches: new Map() });
    this.rest = Buffer.alloc(0);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      egress.streams.delete(this);
      for (const fetch of [...this.fetches.values()]) fetch.cancel();
    });
  }

  send(bytes) { if (!this.socket.destroyed) this.socket.write(bytes); }

  take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= HEAD_BYTES) {
      const len = this.rest.readUInt32LE(4);
      if (this.rest.length < HEAD_BYTES + len) return;
      const [type, code, number] = [this.rest.readUInt32LE(0),
        this.rest.readInt32LE(8), this.rest.readUInt32LE(12)];
      const payload = Buffer.from(this.rest.subarray(HEAD_BYTES, HEAD_BYTES + len));
      this.rest = this.rest.subarray(HEAD_BYTES + len);
      this.obey(type, code, number, payload);
    }
  }

  obey(type, code, number, payload) {
    const fetch = this.fetches.get(number);
    if (type === FRAME.PRINCIPAL) this.principal = code;
    else if (type === FRAME.FETCH) {
      const made = new Fetch(this, number, code, payload);
      if (!made.over) this.fetches.set(number, made);
    } else if (type === FRAME.BODY) fetch?.body(payload);
    else if (type === FRAME.CANCEL) fetch?.cancel();
    else if (type === FRAME.ROOM && fetch) {
      fetch.room += code;
      fetch.flow();
    }
  }
}

export class FakeEgress {
  // places: by origin, where it is.
  static async start(places = {}) {
    const egress = new FakeEgress();
    Object.assign(egress, { places, seen: [], streams: new Set(), mostAhead: 0 });
    egress.folder = mkdtempSync(join(tmpdir(), 'egress-'));
    egress.path = join(egress.folder, 'socket');
    egress.server = createServer((socket) => {
      egress.streams.add(new Stream(egress, socket));
    });
    await new Promise((listening) => egress.server.listen(egress.path, listening));
    return egress;
  }

  // As when its process ends.
  cut() { for (const { socket } of this.streams) socket.destroy(); }

  async stop() {
    this.cut();
    await new Promise((closed) => this.server.close(closed));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
