// SPDX-License-Identifier: Apache-2.0

// A cell that was taken over says to egress what it likes: its stream ends,
// and nothing else happens.

import { PLENTY, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { DATA_MAX, flags, frame, frames, HEAD_BYTES,
  ROOM_MAX, WINDOW } from '../lib/egress.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';

let scene;
let egress;
let honest;
let descriptors;
before(async () => {
  scene = await stage();
  ({ egress } = scene);
  await egress.server(2, { rules: ['api.acme.net'], budget: PLENTY });
  honest = await egress.caller(2, { number: 99 });
  descriptors = egress.descriptors;
});
after(() => scene.end());

afterEach(async () => {
  assert.ok(egress.isAlive(), egress.log);
  const { text } = await honest.fetch('http://api.acme.net/text');
  assert.equal(text, 'hello', 'another call goes on');
  await until('descriptors to be closed', () =>
    egress.descriptors <= descriptors + IDLE);
});

// What three servers may keep: idle connections, and what libcurl wakes up by.
const IDLE = 3 * (64 + 3);

const request = (url = 'http://api.acme.net/text', method = 'GET', more = '') =>
  Buffer.from(`${method}\0${url}\0${more}`, 'latin1');

// The stream ends after these bytes.
async function ends(bytes, name) {
  const caller = await egress.caller(1);
  caller.write(bytes);
  let goesOn = false;
  const timer = setTimeout(() => {
    goesOn = true;
    caller.socket.destroy();
  }, 10_000);
  await caller.closed;
  clearTimeout(timer);
  assert.equal(goesOn, false, `${name}: the stream goes on`);
}

test('control: a frame that is right is answered', async () => {
  const caller = await egress.caller(1);
  assert.equal((await caller.fetch('http://api.acme.net/text')).text, 'hello');
  await caller.close();
});

test('types that there are not, and those that only egress says', async () => {
  for (const type of [0, 1, 5, 63, 64, 65, 66, 72, 73, 74, 75, 76, 77, 255,
    0x7fffffff, 0xffffffff]) {
    await ends(frame(type, 1, 0), `type ${type}`);
  }
});

test('who it is speaking for is not a cell\'s to say', () =>
  ends(frame(frames.PRINCIPAL, 0, 7), 'PRINCIPAL'));

test('lengths beyond their frame\'s', async () => {
  for (const length of [(64 << 10) + 1, 1 << 20, 0x7fffffff, 0xffffffff,
    0x80000000, 0xffffffd8]) {
    await ends(frame(frames.FETCH, 1, 0, Buffer.alloc(0), length), 'FETCH');
    await ends(frame(frames.BODY, 1, 0, Buffer.alloc(0), length), 'BODY');
    await ends(frame(frames.ROOM, 1, 1, Buffer.alloc(0), length), 'ROOM');
    await ends(frame(frames.CANCEL, 1, 0, Buffer.alloc(0), length), 'CANCEL');
  }
  await ends(frame(frames.ROOM, 1, 1, Buffer.from('x')), 'ROOM with bytes');
});

test('requests that are no pairs of strings', async () => {
  for (const bytes of ['', '\0', 'GET', 'GET\0', 'GET\0http://api.acme.net/',
    'GET\0http://api.acme.net/\0x\0', 'GET\0http://api.acme.net/\0x\0y',
    'GET\0\0\0', '\0\0\0']) {
    await ends(frame(frames.FETCH, 1, 0, Buffer.from(bytes, 'latin1')),
      JSON.stringify(bytes));
  }
  const caller = await egress.caller(1);
  caller.write(frame(frames.FETCH, 1, 0, Buffer.from('\0\0')));
  caller.write(frame(frames.FETCH, 2, 0, Buffer.from('GET\0\0')));
  assert.equal((await caller.fetch('http://api.acme.net/text',
    { number: 3 })).text, 'hello');
  await caller.close();
});

test('flags that there are not, or are not a cell\'s', async () => {
  for (const code of [8, 16, 128, -1, 0x40000000, -2147483648]) {
    await ends(frame(frames.FETCH, 1, code, request()), `flags ${code}`);
  }
});

test('a number that is in use', async () => {
  const one = frame(frames.FETCH, 1, 0,
    request('http://api.acme.net/drip?ms=50'));
  await ends(Buffer.concat([one, one]), 'twice');
});

test('room that is more than there may be, or less than none', async () => {
  const fetch = frame(frames.FETCH, 1, 0,
    request('http://api.acme.net/stall-head'));
  for (const code of [ROOM_MAX - WINDOW + 1, ROOM_MAX, 0x7fffffff, -1, -2147483648]) {
    await ends(Buffer.concat([fetch, frame(frames.ROOM, 1, code)]),
      `room ${code}`);
  }
});

test('a body beyond its window, after its end, or where there is none',
  async () => {
    const post = frame(frames.FETCH, 1, flags.BODY,
      request('http://api.acme.net/stall-upload', 'POST'));
    const piece = frame(frames.BODY, 1, 0, Buffer.alloc(DATA_MAX));
    const flood = Array.from({ length: 400 }, () => piece);
    await ends(Buffer.concat([post, ...flood]), 'a flood');
    const end = frame(frames.BODY, 1);
    const late = frame(frames.FETCH, 1, flags.BODY,
      request('http://api.acme.net/late?ms=3000', 'POST'));
    await ends(Buffer.concat([late, end, piece]), 'after its end');
    await ends(Buffer.concat([late, end, end]), 'ended twice');
    await ends(Buffer.concat([frame(frames.FETCH, 1, 0,
      request('http://api.acme.net/late?ms=3000')), end]), 'none');
  });

// Of the longest frame, so much is there that no more is read than the rest.
test('a body\'s frame whose last bytes come late', async () => {
  const body = frame(frames.BODY, 1, 0, Buffer.alloc(DATA_MAX));
  for (const missing of [1, 20, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1]) {
    const caller = await egress.caller(1);
    const fetch = caller.open('http://api.acme.net/length', { method: 'POST', stream: true });
    caller.write(body.subarray(0, body.length - missing));
    assert.equal((await honest.fetch('http://api.acme.net/text')).text, 'hello');
    caller.write(Buffer.concat([body.subarray(body.length - missing), frame(frames.BODY, 1)]));
    assert.equal((await fetch.over).text, String(DATA_MAX), `${missing} missing`);
    await caller.close();
  }
});

test('words about fetches that there are not are passed over', async () => {
  const caller = await egress.caller(1);
  for (const number of [0, 5, 0xffffffff]) {
    caller.write(frame(frames.CANCEL, number));
    caller.write(frame(frames.BODY, number, 0, Buffer.from('x')));
    caller.write(frame(frames.ROOM, number, 100));
  }
  assert.equal((await caller.fetch('http://api.acme.net/text')).text, 'hello');
  await caller.close();
});

test('a head in pieces of one byte, and a stream that ends in each', async () => {
  const bytes = frame(frames.FETCH, 1, 0, request());
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const caller = await egress.caller(1);
    caller.write(bytes.subarray(0, cut));
    caller.socket.end();
    await caller.closed;
  }
  const caller = await egress.caller(1);
  caller.socket.setNoDelay?.(true);
  const fetch = caller.open('http://api.acme.net/text');
  for (const byte of frame(frames.FETCH, 7, 0, request())) {
    caller.write(Buffer.from([byte]));
  }
  assert.equal((await fetch.over).text, 'hello');
  await caller.close();
});

test('noise', async () => {
  for (let i = 0; i < 300; i += 1) {
    const caller = await egress.caller(1);
    const noise = randomBytes(HEAD_BYTES * 4);
    if (i % 2 === 0) noise.writeUInt32LE(64 + i % 16, 0);
    if (i % 3 === 0) noise.writeUInt32LE(i, 4);
    caller.write(noise);
    caller.socket.end();
    await caller.closed;
  }
});

test('a flood of fetches that are cancelled at once', async () => {
  const caller = await egress.caller(1);
  for (let i = 1; i <= 5000; i += 1) {
    caller.write(frame(frames.FETCH, i, 0, request(
      `http${i % 2 ? 's' : ''}://api.acme.net/drip?ms=5`)));
    caller.write(frame(frames.CANCEL, i));
  }
  assert.equal((await caller.fetch('http://api.acme.net/text',
    { number: 6000 })).text, 'hello');
  await caller.close();
});

test('a flood of callers that say nothing, or leave in the middle', async () => {
  const callers = [];
  for (let i = 0; i < 300; i += 1) {
    const caller = await egress.caller(1, { number: i });
    if (i % 3 === 0) caller.open('http://api.acme.net/drip?ms=20');
    if (i % 3 === 1) caller.open('http://api.acme.net/flood', { take: false });
    callers.push(caller);
  }
  assert.equal((await honest.fetch('http://api.acme.net/text')).text, 'hello');
  await Promise.all(callers.map((caller) => caller.close()));
});

test('more streams at once than one template may have', async () => {
  const callers = [];
  await egress.server(77, { rules: ['api.acme.net'], budget: PLENTY });
  for (let i = 0; i < 1024 + 8; i += 1) {
    callers.push(await egress.caller(77, { number: i }));
  }
  await Promise.all(callers.slice(1024).map((caller) => caller.closed));
  assert.ok(callers.slice(0, 1024).every((caller) => caller.isOpen));
  await Promise.all(callers.map((caller) => caller.close()));
  await until('room for another', async () => {
    const caller = await egress.caller(77);
    const { text } = await caller.fetch('http://api.acme.net/text')
      .catch(() => ({}));
    await caller.close();
    return text === 'hello';
  });
});

test('a stream that there is no room for is lost alone', async () => {
  const limit = (files) => execFileSync('prlimit',
    ['--pid', `${egress.pid}`, `--nofile=${files}:`]);
  limit(3);
  const lost = await egress.caller(1);
  await lost.closed;
  limit(4096);
  const caller = await egress.caller(1);
  const { end, error, text } = await caller.fetch('http://api.acme.net/text');
  assert.equal(text, 'hello', `${end} ${error} ${egress.log}`);
  await caller.close();
});

test('a flood of refused requests stays cheap', async () => {
  const caller = await egress.caller(1);
  const began = egress.residentBytes;
  const all = Array.from({ length: 20_000 }, (_, i) =>
    frame(frames.FETCH, i + 1, 0, request('http://10.0.0.5/')));
  caller.write(Buffer.concat(all));
  const last = await caller.fetch('http://api.acme.net/text',
    { number: 30_000 });
  assert.equal(last.text, 'hello', `${last.end} ${last.error}`);
  // The sanitizer keeps what was freed.
  const bound = (patience > 1 ? 512 : 32) << 20;
  assert.ok(egress.residentBytes - began < bound);
  await caller.close();
});
