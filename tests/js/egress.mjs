// SPDX-License-Identifier: Apache-2.0
// The glue of fetches, played by Node: what way.c, inflate.c and egress are to
// the platform. `answer(request)` is the origin.

import zlib from 'node:zlib';

const WINDOW = 256 << 10;
const ENDS = ['OK', 'BAD', 'NO_RULE', 'ADDRESS', 'BUDGET', 'DNS', 'CONNECT',
  'TLS', 'PROTOCOL', 'TIMEOUT', 'TOO_LARGE', 'REDIRECT', 'MISMATCH', 'SECRET',
  'CANCELLED', 'CUT', 'INTERNAL'];
const SAID = 0;
const LATER = 1;
const NONE = 2;

/** One request, as egress sees it; what egress may do is a method. */
class Seen {
  constructor(egress, number, hasBody, text) {
    const [method, url, ...headers] = text.slice(0, -1).split('\0');
    Object.assign(this, { egress, number, hasBody, method, url });
    this.headers = {};
    for (let i = 0; i < headers.length; i += 2)
      this.headers[headers[i]] = headers[i + 1];
    this.body = [];
    this.isWhole = !hasBody;
    this.isCancelled = false;
    this.room = WINDOW;
    this.given = 0; // of the request's body, beyond what was granted
    this.whole = new Promise((resolve) => { this.onWhole = resolve; });
    if (!hasBody)
      this.onWhole();
  }

  get text() { return Buffer.concat(this.body).toString('latin1'); }

  say(name, ...args) {
    setImmediate(() => {
      if (!this.isCancelled)
        this.egress.entry[name](this.number, ...args);
    });
    return this;
  }

  head(status, headers = {}, url = this.url) {
    return this.say('fetchHead', status, [url, ...Object.entries(headers)
      .flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]))]);
  }

  data(bytes) {
    const copy = this.egress.inside(Buffer.from(bytes));
    this.room -= copy.length;
    return this.say('fetchData', 0, copy);
  }

  end() { return this.say('fetchEnd', 0); }
  fail(name, text) { return this.say('fetchFail', ENDS.indexOf(name), text); }
  grant(bytes) { return this.say('fetchRoom', bytes); }

  /** All of it; the caller's window is not looked at. */
  answer(status, headers = {}, body = '') {
    this.head(status, headers);
    if (body.length > 0)
      this.data(body);
    return this.end();
  }
}

export class FakeEgress {
  constructor(answer, { openMax = 64 } = {}) {
    this.answer = answer;
    this.openMax = openMax;
    this.seen = [];
    this.open = new Map();
    this.state = SAID;
    this.isStarved = false;
    this.mostOpen = 0;
  }

  /** Functions for `native`, once the cell is there. */
  attach(cell, inside) {
    this.entry = cell.entry;
    this.inside = inside;
  }

  later() {
    this.isStarved = true;
    return LATER;
  }

  freed() {
    if (!this.isStarved)
      return;
    this.isStarved = false;
    setImmediate(() => this.entry.fetchMore());
  }

  fetchStart(number, hasBody, text) {
    if (this.state !== SAID)
      return this.state;
    if (this.open.size === this.openMax)
      return this.later();
    const seen = new Seen(this, number, hasBody, text);
    this.seen.push(seen);
    this.open.set(number, seen);
    this.mostOpen = Math.max(this.mostOpen, this.open.size);
    const over = (name) => {
      const say = seen[name];
      seen[name] = (...args) => {
        setImmediate(() => { this.open.delete(number); this.freed(); });
        return say.apply(seen, args);
      };
    };
    over('end');
    over('fail');
    this.answer(seen);
    return SAID;
  }

  fetchBody(number, bytes) {
    const seen = this.open.get(number);
    if (seen === undefined)
      return SAID;
    if (seen.isWhole)
      throw new Error('a body goes on behind its end');
    if (bytes === null) {
      seen.isWhole = true;
      seen.onWhole();
    } else {
      seen.body.push(Buffer.from(bytes));
      seen.given += bytes.length;
      seen.onBody?.(bytes.length);
    }
    return SAID;
  }

  fetchRoom(number, bytes) {
    const seen = this.open.get(number);
    if (seen === undefined)
      return;
    seen.room += bytes;
    seen.onRoom?.();
  }

  fetchCancel(number) {
    const seen = this.open.get(number);
    if (seen === undefined)
      return;
    seen.isCancelled = true;
    seen.onCancel?.();
    this.open.delete(number);
    this.freed();
  }
}

/** zlib's pieces of 64 KiB, as inflate.c gives them. */
export function inflateNatives(inside) {
  const streams = [];
  return {
    inflateNew: (isGzip) => streams.push({ isGzip, fed: [], taken: 0,
      out: null }) - 1,
    inflateFeed: (i, bytes) => {
      streams[i].fed.push(Buffer.from(bytes));
      streams[i].out = null;
      return true;
    },
    inflateTake: (i) => {
      const stream = streams[i];
      if (stream.fed.length === 0)
        return null;
      try {
        stream.out ??= undo(stream);
      } catch {
        return false;
      }
      const { bytes, isComplete } = stream.out;
      const piece = bytes.subarray(stream.taken, stream.taken + (64 << 10));
      stream.taken += piece.length;
      return piece.length > 0 ? inside(piece) : isComplete ? true : null;
    },
    inflateFree: (i) => { streams[i] = null; },
  };
}

function undo({ isGzip, fed }) {
  const packed = Buffer.concat(fed);
  const undone = isGzip ? zlib.gunzipSync :
    (packed[0] & 15) === 8 ? zlib.inflateSync : zlib.inflateRawSync;
  try {
    return { bytes: undone(packed), isComplete: true };
  } catch (error) {
    if (error.code !== 'Z_BUF_ERROR')
      throw error;
    return { isComplete: false, bytes: undone(packed,
        { finishFlush: zlib.constants.Z_SYNC_FLUSH }) };
  }
}

export const noEgress = { state: NONE, fetchStart: () => NONE };
export const endName = (code) => ENDS[code];
