// SPDX-License-Identifier: Apache-2.0

// THREATS §4 G: what a server may spend. Each limit is hit, told as such, and
// hurts nobody else.

import { PLENTY, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { WINDOW, ends as endNames, frame, frames } from '../lib/egress.mjs';
import { until } from '../lib/processes.mjs';

let scene;
let world;
let egress;
before(async () => {
  scene = await stage();
  ({ world, egress } = scene);
});
after(() => scene.end());
beforeEach(() => world.forget());

const URL_TEXT = 'http://api.acme.net/text';
let last = 100;

async function caller(budget, options) {
  last += 1;
  await egress.server(last, { rules: ['api.acme.net', 'packs.acme.net'],
    budget: { ...PLENTY, ...budget } });
  return egress.caller(last, options);
}

const requests = async () => (await world.requests()).length;

test('requests a minute', async () => {
  const one = await caller({ perMinute: 5 });
  const ends = [];
  for (let i = 0; i < 8; i += 1) ends.push((await one.fetch(URL_TEXT)).end);
  assert.deepEqual(ends, [...Array(5).fill('OK'), ...Array(3).fill('BUDGET')]);
  assert.equal(await requests(), 5);
  const another = await egress.caller(last);
  assert.equal((await another.fetch(URL_TEXT)).end, 'BUDGET', 'a new call');
  const other = await egress.caller(1);
  assert.equal((await other.fetch(URL_TEXT)).end, 'OK', 'another server');
});

test('requests of one call, redirects among them', async () => {
  const one = await caller({ perCaller: 5 });
  const around = 'http://api.acme.net/redirect/302?to=%2Ftext';
  const ends = [];
  for (let i = 0; i < 4; i += 1) ends.push((await one.fetch(around)).end);
  assert.deepEqual(ends, ['OK', 'OK', 'BUDGET', 'BUDGET']);
  assert.equal(await requests(), 5);
  const next = await egress.caller(last);
  assert.equal((await next.fetch(URL_TEXT)).end, 'OK', 'the next call');
});

test('requests at once, of a server', async () => {
  const one = await caller({ open: 4 });
  const two = await egress.caller(last);
  const open = [];
  for (let i = 0; i < 4; i += 1) {
    open.push((i % 2 ? one : two).open('http://api.acme.net/drip?ms=50'));
  }
  await Promise.all(open.map(({ headed }) => headed));
  assert.equal((await one.fetch(URL_TEXT)).end, 'BUDGET');
  assert.equal((await two.fetch(URL_TEXT)).end, 'BUDGET');
  open[0].cancel();
  await egress.event(({ deployment, path, end }) =>
    deployment === last && path === '/drip' &&
    endNames[end] === 'CANCELLED');
  assert.equal((await one.fetch(URL_TEXT)).text, 'hello');
});

test('64 requests at once, of one call', async () => {
  const one = await caller({ open: 1000 });
  const open = Array.from({ length: 64 }, () =>
    one.open('http://api.acme.net/drip?ms=50'));
  await Promise.all(open.map(({ headed }) => headed));
  assert.equal((await one.fetch(URL_TEXT)).end, 'BUDGET');
  await one.close();
});

test('a call that ends gives back what it had open', async () => {
  const one = await caller({ open: 4 });
  const open = Array.from({ length: 4 }, () =>
    one.open('http://api.acme.net/drip?ms=50'));
  await Promise.all(open.map(({ headed }) => headed));
  await one.close();
  const next = await egress.caller(last);
  await until('its places to be free', async () =>
    (await next.fetch(URL_TEXT)).text === 'hello');
});

test('bytes of one answer, told beforehand or not', async () => {
  const one = await caller({ bytesIn: 100_000 });
  for (const path of ['/bytes/100001', '/bytes/100001?chunked', '/flood']) {
    const { end, size } = await one.fetch(`http://api.acme.net${path}`);
    assert.equal(end, 'TOO_LARGE', path);
    assert.ok(size <= 100_000 + (64 << 10), `${size} bytes came`);
  }
  const fits = await one.fetch('http://api.acme.net/bytes/100000');
  assert.equal(fits.size, 100_000);
});

test('bytes of one request', async () => {
  const one = await caller({ bytesOut: 100_000 });
  const big = await one.fetch('http://api.acme.net/length',
    { method: 'POST', body: Buffer.alloc(200_000) });
  assert.equal(big.end, 'TOO_LARGE');
  const fits = await one.fetch('http://api.acme.net/length',
    { method: 'POST', body: Buffer.alloc(100_000) });
  assert.equal(fits.text, '100000');
});

test('bytes a minute, both ways', async () => {
  const one = await caller({ bytesPerMinute: 1_000_000 });
  const ends = [];
  for (let i = 0; i < 5; i += 1) {
    ends.push((await one.fetch('http://api.acme.net/bytes/300000')).end);
  }
  assert.deepEqual(ends.slice(0, 3), ['OK', 'OK', 'OK']);
  assert.deepEqual(ends.slice(3), ['BUDGET', 'BUDGET']);
});

test('heads are bytes, too', async () => {
  const one = await caller({ bytesPerMinute: 200_000 });
  const headers = { 'x-long': 'x'.repeat(50_000) };
  const ended = [];
  for (let i = 0; i < 5; i += 1)
    ended.push((await one.fetch('http://api.acme.net/length', { headers })).end);
  assert.deepEqual(ended.slice(0, 2), ['OK', 'OK']);
  assert.equal(ended.at(-1), 'BUDGET');
});

test('a transfer coding that nobody asked for is not undone here', async () => {
  const one = await caller({ bytesIn: 1 << 30 });
  const before = egress.residentBytes;
  await world.name('packs.acme.net', { a: ['45.83.7.66'] });
  const packed = gzipSync(Buffer.alloc(32 << 20));
  const answer = (coding) => Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n` +
      'Connection: close\r\n\r\n'), packed]);
  for (const coding of ['gzip', 'gzip, chunked', 'x-gzip', 'br', 'zstd', 'chunked, gzip']) {
    await world.tcp('packs.acme.net', { port: 80, address: '45.83.7.66', say: answer(coding) });
    const { end, size } = await one.fetch('http://packs.acme.net/');
    assert.deepEqual([end, size], ['PROTOCOL', 0], coding);
    await world.close('45.83.7.66', 80);
  }
  assert.ok(egress.residentBytes - before < 16 << 20);
});

test('an archive that unpacks to much stays as small as it came', async () => {
  // Cells decode, under limits of their own; egress must not on its way.
  const one = await caller({ bytesIn: 1 << 20 });
  const before = egress.residentBytes;
  const { end, size } = await one.fetch('http://api.acme.net/gzip/100000000',
    { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(end, 'OK');
  assert.ok(size < 1 << 20, `${size}`);
  assert.ok(egress.residentBytes - before < 32 << 20);
});

test('what must be searched for secrets comes plain, or not at all', async () => {
  await egress.server(90, { rules: ['https://api.acme.net'], budget: PLENTY,
    secrets: [{ name: 'KEY', host: 'api.acme.net', value: 'sesame-open-now' }] });
  const one = await egress.caller(90);
  const headers = { 'accept-encoding': 'gzip' };
  const { json } = await one.fetch('https://api.acme.net/echo', { headers });
  assert.equal(json.names['accept-encoding'], 'identity');
  const { end, size } = await one.fetch('https://api.acme.net/gzip/100000000', { headers });
  assert.deepEqual([end, size], ['PROTOCOL', 0]);
  await one.close();
});

test('who asks for what he may not, and reads no answer, is heard no more', async () => {
  const one = await caller({ perCaller: 10 });
  one.socket.pause();
  const before = egress.residentBytes;
  let written = 0;
  for (let i = 1; i < 40_000 && one.write(frame(frames.FETCH, i + 100, 0,
    Buffer.from('GET\0https://evil.acme.org/\0'))); i++) written = i;
  const other = await egress.caller(1);
  assert.equal((await other.fetch(URL_TEXT)).text, 'hello', 'others go on');
  assert.ok(written < 40_000, 'the stream was full at some time');
  assert.ok(egress.residentBytes - before < 16 << 20,
    `${egress.residentBytes - before} bytes more`);
  one.socket.resume();
  await one.close();
});

test('who does not read is not read for', async () => {
  const one = await caller({});
  const before = egress.residentBytes;
  const open = Array.from({ length: 32 }, () =>
    one.open('http://api.acme.net/bytes/50000000', { take: false, keep: false }));
  await until('all windows to be full', () =>
    open.every(({ size }) => size >= WINDOW));
  assert.ok(egress.residentBytes - before < 64 << 20,
    `${egress.residentBytes - before} bytes more`);
  const other = await egress.caller(1);
  assert.equal((await other.fetch(URL_TEXT)).text, 'hello', 'others go on');
  for (const { size } of open) assert.equal(size, WINDOW);
  await one.close();
});

test('a call that does not read its stream at all holds up nobody', async () => {
  const one = await caller({});
  one.socket.pause();
  const before = egress.residentBytes;
  for (let i = 0; i < 32; i += 1) {
    one.open('http://api.acme.net/bytes/50000000', { keep: false });
  }
  const other = await egress.caller(1);
  const asked = async () => (await world.requests())
    .filter(({ url }) => url.startsWith('/bytes/')).length;
  while (await asked() < 32) {
    assert.equal((await other.fetch(URL_TEXT)).text, 'hello');
  }
  for (let i = 0; i < 50; i += 1) {
    assert.equal((await other.fetch(URL_TEXT)).text, 'hello');
  }
  assert.ok(egress.residentBytes - before < 64 << 20);
  await one.close();
});

test('a head without an end is cut', async () => {
  const one = await caller({});
  const before = egress.residentBytes;
  for (const path of ['flood-head', 'flood-continue']) {
    const { end } = await one.fetch(`http://api.acme.net/${path}`);
    assert.ok(['PROTOCOL', 'TOO_LARGE', 'BUDGET', 'CUT'].includes(end),
      `${path}: ${end}`);
  }
  assert.ok(egress.residentBytes - before < 64 << 20);
});

test('refusals are told, with tenant\'s server, call, and why', async () => {
  const one = await caller({ perMinute: 1 }, { number: 42 });
  await one.fetch(URL_TEXT);
  await one.fetch(URL_TEXT);
  const event = await egress.event(({ deployment, end }) =>
    deployment === last && end === 4);
  assert.equal(event.refused, 1);
  assert.equal(event.number, 42);
  assert.equal(event.host, 'api.acme.net');
  assert.equal(event.path, '/text');
  assert.notEqual(event.text, '');
});
