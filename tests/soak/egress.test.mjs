// SPDX-License-Identifier: Apache-2.0

// An origin that stalls at each stage, resets, floods and lies about lengths,
// with 200 fetches under way: each ends by its deadline, and egress is
// afterwards what it was before.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Egress } from '../lib/egress.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const SECONDS = Number(process.env.CORDON_SOAK_SECONDS ?? 20);
const CALLERS = 4;
const EACH = 50;
const GRACE_MS = 20_000 * patience; // names come first, and busy machines
const MIB = 1 << 20;
const KEPT = 70; // idle connections of the server that stalled

const BUDGET = { perMinute: 4e9, perCaller: 4e9, open: 1000, bytesIn: 2 * MIB,
  bytesPerMinute: 1e15 };

let world;
let egress;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('one.acme.net', '45.83.7.6', { h2: false });
  await world.name('silent.acme.net', { silence: true });
  await world.name('accept.acme.net', { a: ['45.83.7.2'] });
  await world.silence('45.83.7.2');
  await world.name('tls.acme.net', { a: ['45.83.7.3'] });
  await world.tcp('tls', { address: '45.83.7.3', port: 443, then: 'hold' });
  await world.name('shut.acme.net', { a: ['45.83.7.4'] });
  await world.tcp('shut', { address: '45.83.7.4', port: 443, then: 'reset' });
  await world.name('none.acme.net', { a: ['45.83.7.5'] });
  egress = await Egress.start(world);
});
after(async () => {
  await egress.stop();
  await world.stop();
});

const callers = async (id) => {
  await egress.server(id, { rules: ['*.acme.net'], budget: BUDGET });
  return Promise.all(Array.from({ length: CALLERS }, (_, number) =>
    egress.caller(id, { number })));
};

// Where it stalls, how it ends, and when at the latest.
const stalls = [
  ['http://silent.acme.net/', ['DNS'], 20_000],
  ['http://accept.acme.net/', ['CONNECT', 'TIMEOUT'], 10_000],
  ['https://tls.acme.net/', ['CONNECT', 'TIMEOUT', 'TLS'], 10_000],
  ['http://api.acme.net/stall-head', ['TIMEOUT'], 60_000],
  ['https://api.acme.net/stall-head', ['TIMEOUT'], 60_000],
  ['http://api.acme.net/stall-body', ['TIMEOUT'], 60_000],
  ['https://api.acme.net/stall-body', ['TIMEOUT'], 60_000],
  ['http://api.acme.net/stall-body/2000000/100000', ['TIMEOUT'], 60_000],
  ['http://api.acme.net/stall-upload', ['TIMEOUT'], 60_000,
    { method: 'POST', body: Buffer.alloc(200_000) }],
];

// What ends by itself, badly. Requests of HTTP/2 share a connection, and with it
// the end that one of them is given; and bytes that come late, beyond a length
// that lied, meet the next request on it.
const SHARED = ['CUT', 'PROTOCOL'];
const troubles = [
  ['https://shut.acme.net/', ['TLS', 'CUT', 'CONNECT']],
  ['http://none.acme.net/', ['CONNECT']],
  ['http://api.acme.net/reset', ['CUT']],
  ['https://api.acme.net/reset', []],
  ['http://api.acme.net/reset/body', ['CUT']],
  ['https://api.acme.net/reset/body', []],
  ['https://one.acme.net/reset/body', ['CUT']],
  ['http://api.acme.net/lie/1000/10', ['CUT']],
  ['https://one.acme.net/lie/1000/10', ['CUT', 'TLS']],
  ['http://api.acme.net/lie/1900000/1200000', ['CUT']],
  ['http://api.acme.net/lie/10/1000', ['OK']],
  ['https://one.acme.net/lie/10/1000', ['OK']],
  ['http://api.acme.net/lie/0/100000', ['OK']],
  ['http://api.acme.net/flood', ['TOO_LARGE']],
  ['https://api.acme.net/flood', ['TOO_LARGE']],
  ['http://api.acme.net/flood-head', ['PROTOCOL', 'TOO_LARGE', 'BUDGET']],
  ['http://api.acme.net/flood-continue', ['PROTOCOL', 'TOO_LARGE', 'BUDGET']],
  ['http://api.acme.net/bytes/1000000', ['OK']],
  ['https://api.acme.net/bytes/1000000', ['OK']],
  ['http://api.acme.net/bytes/1900000', ['OK']],
  ['http://api.acme.net/echo', ['OK'], { method: 'POST', body: 'hello' }],
];

// None is longer under way than it may be.
async function inTime(fetch, ms, name) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${name} hangs`)), ms + GRACE_MS);
  });
  try {
    return await Promise.race([fetch.over, late]);
  } finally {
    clearTimeout(timer);
  }
}

const started = { descriptors: 0, bytes: 0 };

test('it starts', async () => {
  const [caller] = await callers(1);
  for (const url of ['http://api.acme.net/text', 'https://api.acme.net/text',
    'https://one.acme.net/text']) {
    assert.equal((await caller.fetch(url)).text, 'hello');
  }
  started.descriptors = egress.descriptors;
  started.bytes = egress.residentBytes;
});

test('200 that stall, each at its stage, end by their deadlines', async (t) => {
  const all = await callers(2);
  let n = 0;
  await Promise.all(all.flatMap((caller) => Array.from({ length: EACH },
    async () => {
      const [url, ends, ms, options] = stalls[n++ % stalls.length];
      const began = Date.now();
      const result = await inTime(caller.open(url, options), ms, url);
      assert.ok(ends.includes(result.end),
        `${url}: ${result.end} ${result.size} ${result.error}`);
      assert.notEqual(result.error, '');
      assert.ok(Date.now() - began < ms + GRACE_MS);
    })));
  t.diagnostic(`${n} fetches`);
  await Promise.all(all.map((caller) => caller.close()));
});

// Two rounds: what the first left in the heap serves the second.
const left = [];
for (const round of [1, 2]) {
  test(`200 at once that go wrong, round ${round}`, (t) => wrong(t, 2 + round));
}

async function wrong(t, id) {
  const all = await callers(id);
  const end = Date.now() + SECONDS * 500;
  let n = 0;
  let peak = 0;
  const one = async (caller) => {
    while (Date.now() < end) {
      const [url, ends, options] = troubles[n++ % troubles.length];
      const fetch = caller.open(url, { ...options, keep: false });
      if (n % 11 === 0) fetch.cancel();
      else {
        const result = await inTime(fetch, 60_000, url);
        assert.ok([...ends, ...SHARED].includes(result.end),
          `${url}: ${result.end} ${result.size} ${result.error}`);
      }
      peak = Math.max(peak, egress.residentBytes);
    }
  };
  await Promise.all(all.flatMap((caller) =>
    Array.from({ length: EACH }, () => one(caller))));
  t.diagnostic(`${n} fetches; ${(peak / MIB).toFixed(1)} MiB at most`);
  assert.ok(peak < 256 * MIB, `${peak}`);
  await Promise.all(all.map((caller) => caller.close()));
  await egress.tell('gone', id);
  await until('descriptors to be closed',
    () => egress.descriptors <= started.descriptors + KEPT, 20_000);
  left.push(egress.residentBytes);
}

test('afterwards it is what it was', async (t) => {
  await egress.tell('gone', 2);
  await until('descriptors to be closed',
    () => egress.descriptors <= started.descriptors + 2, 20_000);
  const [one, two] = left.map((bytes) => (bytes - started.bytes) / MIB);
  t.diagnostic(`${egress.descriptors} descriptors, as ${started.descriptors}; ` +
    `${one.toFixed(1)} MiB more after one round, ${two.toFixed(1)} after two`);
  assert.ok(one < 96 && two - one < 24, `${one} MiB, then ${two}`);
  const caller = await egress.caller(1);
  assert.equal((await caller.fetch('https://api.acme.net/text')).text, 'hello');
  assert.ok((await world.connections()).length > 0);
});
