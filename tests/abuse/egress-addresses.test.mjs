// SPDX-License-Identifier: Apache-2.0

// THREATS §4 A to D: no address that is not public is dialled, however it is
// reached: as a name's answer, in a URL, in any spelling. Each of them can be
// reached from here without egress.

import { CREDENTIALS, Egress, loopback, reaches, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { hostOf, isV6, privateV4, privateV6, publicV4, publicV6,
  urls } from './egress-corpus.mjs';
import { until } from '../lib/processes.mjs';
import { NAMESERVER } from '../lib/world.mjs';

let scene;
let world;
let egress;
let own;
before(async () => {
  scene = await stage({ isEverywhere: true,
    rules: ['*.acme.net', 'http://45.83.0.1'] });
  ({ world, egress } = scene);
  own = await loopback();
});
after(async () => {
  await own.close();
  await scene.end();
});

const at = (address) => isV6(address) ? { aaaa: [address] } : { a: [address] };

// Names that lead to these, all fetched at once.
async function fetched(addresses, prefix) {
  for (const [i, address] of addresses.entries()) {
    await world.name(`${prefix}${i}.acme.net`, { ...at(address), ttl: 0 });
  }
  const caller = await egress.caller(1);
  const results = [];
  for (const [i] of addresses.entries()) {
    results.push(await caller.fetch(`http://${prefix}${i}.acme.net/`));
  }
  await caller.close();
  return results;
}

test('a name that leads to a private address is refused, whichever', async () => {
  await world.forget();
  own.seen.length = 0;
  const all = [...privateV4, ...privateV6];
  const results = await fetched(all, 'private');
  const wrong = all.filter((_, i) => results[i].end !== 'ADDRESS')
    .map((address) => ({ address, ...results[all.indexOf(address)] }));
  assert.deepEqual(wrong, []);
  assert.deepEqual(await world.connections(), []);
  assert.deepEqual(own.seen, []);
});

test('control: without egress most of them are reached', async () => {
  const unroutable = /^(0\.|22[4-9]\.|23\d\.|127\.255\.255\.255|255\.255\.255\.255|ff|fe80|::$)/;
  const all = privateV4.filter((address) => !unroutable.test(address));
  const missed = [];
  for (const address of all) {
    if (!await reaches(address)) missed.push(address);
  }
  assert.deepEqual(missed, []);
});

test('the neighbours of those ranges are dialled', async () => {
  const results = await fetched(publicV4, 'public');
  const wrong = publicV4.filter((_, i) => results[i].text !== CREDENTIALS);
  assert.deepEqual(wrong, []);
});

test('public IPv6 is dialled', async (t) => {
  if (!world.hasV6) return t.skip('the kernel has no IPv6');
  const results = await fetched(publicV6, 'six');
  const wrong = publicV6.filter((_, i) => results[i].text !== CREDENTIALS);
  assert.deepEqual(wrong, []);
});

test('the host\'s own addresses are refused, public as they look', async () => {
  const list = ['45.83.0.1', ...world.hasV6 ? ['2a0e:97c0:45::1'] : []];
  assert.ok(await reaches('45.83.0.1'), 'control');
  own.seen.length = 0;
  for (const { end } of await fetched(list, 'own')) assert.equal(end, 'ADDRESS');
  const caller = await egress.caller(1);
  const { end } = await caller.fetch('http://45.83.0.1/');
  assert.equal(end, 'ADDRESS', 'with a rule of its own, too');
  assert.deepEqual(own.seen, []);
});

test('an address that the host gets later is refused from then on', async () => {
  await world.name('later.acme.net', { a: ['45.83.44.4'] });
  const caller = await egress.caller(1);
  assert.equal((await caller.fetch('http://later.acme.net/')).text, CREDENTIALS);
  execFileSync('ip', ['addr', 'add', '45.83.44.4/32', 'dev', 'lo']);
  try {
    // Told over netlink: soon, but not at once; and the connection is kept.
    const { end } = await fetchUntil(caller, 'http://later.acme.net/',
      ({ end: how }) => how !== 'OK');
    assert.equal(end, 'ADDRESS');
  } finally {
    execFileSync('ip', ['addr', 'del', '45.83.44.4/32', 'dev', 'lo']);
  }
  const { text } = await fetchUntil(caller, 'http://later.acme.net/',
    ({ end: how }) => how === 'OK');
  assert.equal(text, CREDENTIALS);
});

// The kernel tells egress of an address, not us.
const fetchUntil = (caller, url, condition) =>
  until(`${url} to change`, async () => {
    const result = await caller.fetch(url);
    return condition(result) && result;
  });

test('every URL of the collections is refused', async (t) => {
  await world.forget();
  own.seen.length = 0;
  const all = urls('api.acme.net');
  let caller = await egress.caller(1);
  const wrong = [];
  for (const { url } of all) {
    const { end, error, status } = await caller.fetch(
      Buffer.from(url, 'utf8').toString('latin1'));
    if (end === 'STREAM' && url.includes('\0')) {
      caller = await egress.caller(1); // no frame can say that
      continue;
    }
    if (end === 'STREAM') throw new Error(`the stream ended at ${url}`);
    if (end === 'OK' || end === 'INTERNAL' || error === '') {
      wrong.push({ url, end, status });
    }
  }
  t.diagnostic(`${all.length} URLs`);
  // "#@" and "?@": what is before it is the host, and it is EVIL: refused. A
  // SAFE host before '#' or '?' is reached, as it should be.
  const led = (await world.requests()).filter(({ address }) =>
    address !== '45.83.7.1');
  assert.deepEqual(led, []);
  assert.deepEqual(own.seen, []);
  const honest = /^http:\/\/api\.acme\.net:80[#?]@/;
  assert.deepEqual(wrong.filter(({ url }) => !honest.test(url)), []);
  const asked = new Set((await world.questions()).map(({ name }) => name));
  asked.delete('api.acme.net');
  assert.deepEqual([...asked], [], 'and no question left the host');
});

test('control: a lenient client falls for many of them', async (t) => {
  own.seen.length = 0;
  let fallen = 0;
  const all = urls('api.acme.net').filter(({ url, victim }) =>
    VICTIMS_V4.has(victim) && url.startsWith('http:'));
  for (const { url } of all) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      fallen += await response.text() === CREDENTIALS ? 1 : 0;
    } catch {
      // this one it refused
    }
  }
  t.diagnostic(`${fallen} of ${all.length} URLs`);
  assert.ok(fallen > 50, `${fallen}`);
});

const VICTIMS_V4 = new Set(['127.0.0.1', '169.254.169.254', '10.0.0.5']);

test('a rule for an address that is private allows nothing', async () => {
  for (const rule of ['http://10.0.0.5', 'http://169.254.169.254',
    'http://127.0.0.1', 'http://[::1]', 'http://[fd00:ec2::254]',
    'localhost:80', 'http://localhost', 'http://metadata.google.internal',
    '*.internal', '*.local', 'http://0x7f.1', 'http://2130706433']) {
    await assert.rejects(egress.tell('rule', rule), /^Error: error /, rule);
  }
});

test('what the operator denies besides is refused', async () => {
  const other = await Egress.start(world,
    { denied: ['93.184.0.0/16'] });
  await other.server(1, { rules: ['*.acme.net'] });
  await world.name('denied.acme.net', { a: ['93.184.216.34'] });
  const caller = await other.caller(1);
  assert.equal((await caller.fetch('http://denied.acme.net/')).end, 'ADDRESS');
  const open = await egress.caller(1);
  assert.equal((await open.fetch('http://denied.acme.net/')).text, CREDENTIALS);
  await other.stop();
});

test('the name server itself can be no destination of a private kind', async () => {
  // It is public here; what counts is that the rule decides, nothing else.
  const caller = await egress.caller(1);
  const { end } = await caller.fetch(`http://${NAMESERVER}:53/`);
  assert.equal(end, 'NO_RULE');
});

test('hosts in URLs of public addresses need their rule', async () => {
  const caller = await egress.caller(1);
  for (const address of ['93.184.216.34', '2606:2800:220:1::1']) {
    const { end } = await caller.fetch(`http://${hostOf(address)}/`);
    assert.equal(end, 'NO_RULE');
  }
});
