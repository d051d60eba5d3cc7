// SPDX-License-Identifier: Apache-2.0

// THREATS §4 G: connections are used again, but never across tenants, servers,
// hosts, schemes or rules. The origin counts them.

import { PLENTY, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

let scene;
let world;
let egress;
before(async () => {
  scene = await stage();
  ({ world, egress } = scene);
  // Two names, one address, one certificate: what a client may coalesce.
  for (const name of ['a', 'b']) {
    await world.name(`${name}.acme.net`, { a: ['45.83.7.2'] });
  }
  await world.https('a.acme.net', { address: '45.83.7.2',
    certificate: ['a.acme.net', 'b.acme.net', '45.83.7.2'] });
});
after(() => scene.end());
beforeEach(() => world.forget());

const connections = async () => (await world.connections()).length;

test('control: one call\'s requests to one host share a connection', async () => {
  const caller = await egress.caller(1);
  for (let i = 0; i < 5; i += 1) {
    await caller.fetch('http://api.acme.net/text');
    await caller.fetch('https://api.acme.net/text');
  }
  assert.equal(await connections(), 2);
});

test('calls of one server share it, too', async () => {
  for (let i = 0; i < 3; i += 1) {
    const caller = await egress.caller(1, { number: i });
    await caller.fetch('https://api.acme.net/text');
    await caller.close();
  }
  assert.ok(await connections() <= 1);
});

test('so do many at once, the next time', async () => {
  await egress.server(10, { rules: ['api.acme.net'], budget: PLENTY });
  const caller = await egress.caller(10);
  for (let round = 0; round < 5; round += 1) {
    const all = await Promise.all(Array.from({ length: 40 }, () =>
      caller.fetch('http://api.acme.net/text')));
    assert.ok(all.every(({ text }) => text === 'hello'));
  }
  const n = await connections();
  assert.ok(n <= 40, `${n} connections for 200 requests, 40 at once`);
});

test('servers do not, be they of one tenant or of two', async () => {
  await egress.server(11, { tenant: 'one', rules: ['api.acme.net'] });
  await egress.server(12, { tenant: 'one', name: 'other',
    rules: ['api.acme.net'] });
  await egress.server(13, { tenant: 'two', rules: ['api.acme.net'] });
  for (let round = 0; round < 3; round += 1) {
    for (const id of [11, 12, 13]) {
      const caller = await egress.caller(id);
      const { text } = await caller.fetch('https://api.acme.net/text');
      assert.equal(text, 'hello');
    }
  }
  const seen = await world.requests();
  const of = (i) => seen.filter((_, n) => n % 3 === i)
    .map(({ connection }) => connection);
  assert.equal(new Set([...of(0), ...of(1), ...of(2)]).size, 3);
  for (const i of [0, 1, 2]) assert.equal(new Set(of(i)).size, 1);
});

test('names on one address do not: no coalescing of HTTP/2', async () => {
  await egress.server(14, { rules: ['https://a.acme.net', 'https://b.acme.net'] });
  const caller = await egress.caller(14);
  for (const name of ['a', 'b', 'a', 'b']) {
    const { json } = await caller.fetch(`https://${name}.acme.net/echo`);
    assert.equal(json.names[':authority'], `${name}.acme.net`);
  }
  const seen = await world.connections();
  assert.deepEqual(seen.map(({ sni }) => sni), ['a.acme.net', 'b.acme.net']);
});

test('a name without a rule is not reached over another\'s connection',
  async () => {
    await egress.server(15, { rules: ['https://a.acme.net'] });
    const caller = await egress.caller(15);
    await caller.fetch('https://a.acme.net/text');
    const { end } = await caller.fetch('https://b.acme.net/text');
    assert.equal(end, 'NO_RULE');
    const host = await caller.fetch('https://a.acme.net/echo',
      { headers: { host: 'b.acme.net' } });
    assert.equal(host.json.names[':authority'], 'a.acme.net');
    assert.equal((await world.requests()).filter(({ authority }) =>
      authority === 'b.acme.net').length, 0);
  });

test('rules that are taken away end what they allowed', async () => {
  await egress.server(16, { rules: ['https://a.acme.net'] });
  const caller = await egress.caller(16);
  assert.equal((await caller.fetch('https://a.acme.net/text')).end, 'OK');
  await egress.server(16, { rules: ['https://b.acme.net'] });
  const next = await egress.caller(16);
  assert.equal((await next.fetch('https://a.acme.net/text')).end, 'NO_RULE');
  assert.equal((await caller.fetch('https://a.acme.net/text')).end, 'NO_RULE',
    'in a call that began before, too');
  await egress.tell('gone', 16);
  assert.equal((await next.fetch('https://b.acme.net/text')).end, 'NO_RULE');
});

test('rules that change use no connection of before', async () => {
  await egress.server(17, { rules: ['https://a.acme.net'] });
  const caller = await egress.caller(17);
  await caller.fetch('https://a.acme.net/text');
  await egress.server(17, { rules: [{ rule: 'https://a.acme.net',
    methods: 'GET' }] });
  await caller.fetch('https://a.acme.net/text');
  assert.equal(await connections(), 2);
});

test('a name that moved inside is not reached over its old connection, either',
  async () => {
    await egress.server(18, { rules: ['http://moved.acme.net'],
      budget: PLENTY });
    await world.name('moved.acme.net', [{ a: ['45.83.7.1'], ttl: 0 },
      { a: ['10.0.0.5'], ttl: 0 }]);
    const caller = await egress.caller(18);
    assert.equal((await caller.fetch('http://moved.acme.net/text')).end, 'OK');
    const ends = [];
    for (let i = 0; i < 5; i += 1) {
      ends.push((await caller.fetch('http://moved.acme.net/text')).end);
    }
    assert.ok(ends.every((end) => ['OK', 'ADDRESS'].includes(end)), ends.join());
    assert.equal((await world.connections())
      .filter(({ address }) => address !== '45.83.7.1').length, 0);
  });

test('one answer never gets into another\'s, however they are cut off',
  async () => {
    await egress.server(19, { rules: ['api.acme.net'], budget: PLENTY });
    const caller = await egress.caller(19, { kind: 'link' });
    for (let round = 0; round < 20; round += 1) {
      const cut = caller.open('http://api.acme.net/drip?ms=5');
      const cutTls = caller.open('https://api.acme.net/drip?ms=5');
      await Promise.all([cut.headed, cutTls.headed]);
      cut.cancel();
      cutTls.cancel();
      const [a, b] = await Promise.all([
        caller.fetch(`http://api.acme.net/text?say=a${round}`),
        caller.fetch(`https://api.acme.net/text?say=b${round}`)]);
      assert.equal(a.text, `a${round}`);
      assert.equal(b.text, `b${round}`);
    }
  });
