// SPDX-License-Identifier: Apache-2.0

// THREATS §4 F and G: a name server in the hands of the enemy. What is dialled
// is what was checked.

import { CREDENTIALS, reaches, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { after, before, test } from 'node:test';

let scene;
let world;
let egress;
let caller;
before(async () => {
  scene = await stage({ isEverywhere: true,
    rules: ['*.acme.net', 'acme.net', '*.nip.io', 'https://far.acme.net'] });
  ({ world, egress } = scene);
  caller = await egress.caller(1);
});
after(() => scene.end());

const GOOD = '45.83.7.1';
const EVIL = '169.254.169.254';

const innerConnections = async () => (await world.connections())
  .filter(({ address }) => address !== GOOD);

test('control: the metadata service is there, and answers', async () => {
  assert.ok(await reaches(EVIL));
  const { text } = await (await fetch(`http://${EVIL}/`)).text()
    .then((said) => ({ text: said }));
  assert.equal(text, CREDENTIALS);
  await world.forget();
});

test('a name that changes between two looks is dialled where it was checked',
  async () => {
    // Checked once, resolved again by the connection: the classic.
    await world.name('rebind.acme.net', [
      { a: [GOOD], ttl: 0 }, { a: [EVIL], ttl: 0 }]);
    const first = await caller.fetch('http://rebind.acme.net/text');
    assert.equal(first.text, 'hello', first.error);
    assert.deepEqual(await innerConnections(), []);
  });

test('control: looked up twice, it does lead inside', async () => {
  await world.name('rebind2.acme.net', [
    { a: [GOOD], ttl: 0 }, { a: [EVIL], ttl: 0 }]);
  const addresses = [];
  for (let i = 0; i < 2; i += 1) {
    addresses.push((await lookup('rebind2.acme.net', { family: 4 })).address);
  }
  assert.deepEqual(addresses, [GOOD, EVIL]);
});

test('a name that changes with every answer never leads inside', async () => {
  for (let n = 0; n < 8; n += 1) {
    const flips = Array.from({ length: 40 }, (_, i) =>
      ({ a: [(i + n) % 2 === 0 ? GOOD : EVIL], ttl: 0 }));
    await world.name(`flip${n}.acme.net`, flips);
  }
  const results = await Promise.all(Array.from({ length: 48 }, (_, i) =>
    caller.fetch(`http://flip${i % 8}.acme.net/text`)));
  assert.ok(results.some(({ end }) => end === 'ADDRESS'));
  assert.ok(results.some(({ end }) => end === 'OK'));
  for (const { end, text } of results) {
    assert.ok(end === 'ADDRESS' || (end === 'OK' && text === 'hello'), end);
  }
  assert.deepEqual(await innerConnections(), []);
});

test('one private address in an answer refuses all of it', async () => {
  const sets = [[GOOD, EVIL], [EVIL, GOOD], [GOOD, GOOD, GOOD, '10.0.0.5'],
    [GOOD, '0.0.0.0'], [GOOD, '127.0.0.1'], [GOOD, '45.83.0.1']];
  for (const [i, a] of sets.entries()) {
    await world.name(`mixed${i}.acme.net`, { a, ttl: 0 });
    const { end } = await caller.fetch(`http://mixed${i}.acme.net/`);
    assert.equal(end, 'ADDRESS', a.join());
  }
  assert.deepEqual(await innerConnections(), []);
});

test('control: a client of its own would try them in turn', async () => {
  await world.name('mixed9.acme.net', { a: ['45.83.99.9', EVIL], ttl: 0 });
  await world.silence('45.83.99.9');
  const { stdout } = await world.run(['curl', '-s', '--connect-timeout', '6',
    'http://mixed9.acme.net/']);
  assert.equal(stdout, CREDENTIALS);
  await world.forget();
});

test('a public A and a private AAAA, or the other way round', async () => {
  const cases = [{ a: [GOOD], aaaa: ['::1'] }, { a: [GOOD], aaaa: ['fd00:ec2::254'] },
    { a: [GOOD], aaaa: ['::ffff:169.254.169.254'] }, { a: [GOOD], aaaa: ['fe80::1'] },
    { a: [EVIL], aaaa: ['2606:2800:220:1::1'] }, { aaaa: ['fd00:ec2::254'] },
    { aaaa: ['64:ff9b::a9fe:a9fe'] }];
  for (const [i, answer] of cases.entries()) {
    await world.name(`six${i}.acme.net`, { ...answer, ttl: 0 });
    const { end } = await caller.fetch(`http://six${i}.acme.net/`);
    assert.equal(end, 'ADDRESS', JSON.stringify(answer));
  }
  assert.deepEqual(await innerConnections(), []);
});

test('CNAMEs to inside, and to names that are inside', async () => {
  await world.name('inner.acme.net', { a: ['10.0.0.5'], ttl: 0 });
  await world.name('metadata.google.internal', { a: [EVIL], ttl: 0 });
  await world.name('localhost', { a: ['127.0.0.1'], ttl: 0 });
  await world.name('hop.acme.net', { cname: 'hop2.elsewhere.net', ttl: 0 });
  await world.name('hop2.elsewhere.net', { cname: 'inner.acme.net', ttl: 0 });
  for (const [name, target] of [['c1', 'inner.acme.net'],
    ['c2', 'metadata.google.internal'], ['c3', 'localhost'],
    ['c4', 'hop.acme.net']]) {
    await world.name(`${name}.acme.net`, { cname: target, ttl: 0 });
    const { end } = await caller.fetch(`http://${name}.acme.net/`);
    assert.ok(['ADDRESS', 'DNS'].includes(end), `${name}: ${end}`);
  }
  assert.deepEqual(await innerConnections(), []);
});

test('a CNAME to a public name is followed', async () => {
  await world.name('cdn.elsewhere.net', { a: [GOOD], ttl: 0 });
  await world.name('www.acme.net', { cname: 'cdn.elsewhere.net', ttl: 0 });
  const { text, error } = await caller.fetch('http://www.acme.net/text');
  assert.equal(text, 'hello', error);
});

test('services that put an address into a name lead nowhere inside', async () => {
  for (const address of ['127.0.0.1', EVIL, '10.0.0.5']) {
    const name = `${address.replaceAll('.', '-')}.nip.io`;
    await world.name(name, { a: [address], ttl: 0 });
    assert.equal((await caller.fetch(`http://${name}/`)).end, 'ADDRESS');
  }
});

test('a CNAME that goes in circles, and a name that points at itself', async () => {
  await world.name('round.acme.net', { cname: 'round2.acme.net' });
  await world.name('round2.acme.net', { cname: 'round.acme.net' });
  await world.name('self.acme.net', { loop: true, a: [EVIL] });
  for (const name of ['round', 'self']) {
    const { end } = await caller.fetch(`http://${name}.acme.net/`);
    assert.equal(end, 'DNS', name);
  }
});

test('answers that were not asked for are not believed', async () => {
  await world.silence('45.83.0.54');
  for (const spoof of ['id', 'name', 'port']) {
    await world.name(`${spoof}.acme.net`, [
      { a: [EVIL], spoof, ttl: 0 }, { a: [GOOD], ttl: 0 }]);
  }
  const all = await Promise.all(['id', 'name', 'port'].map((spoof) =>
    caller.fetch(`http://${spoof}.acme.net/text`)));
  for (const { end, text } of all) {
    assert.ok(end === 'DNS' || text === 'hello', `${end}`);
  }
  assert.deepEqual(await innerConnections(), []);
});

test('records of another name in an answer are not believed', async () => {
  // "owner.acme.net" is asked for; the answer is about "other.acme.net".
  const record = Buffer.concat([
    Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]),
    Buffer.from('\x05owner\x04acme\x03net\0', 'latin1'),
    Buffer.from([0, 1, 0, 1]),
    Buffer.from('\x05other\x04acme\x03net\0', 'latin1'),
    Buffer.from([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 45, 83, 7, 1])]);
  await world.name('owner.acme.net', { raw: record.toString('base64') });
  await world.name('other.acme.net', { a: [EVIL] });
  const { end } = await caller.fetch('http://owner.acme.net/text');
  const { end: other } = await caller.fetch('http://other.acme.net/text');
  assert.equal(other, 'ADDRESS');
  assert.ok(['DNS', 'OK'].includes(end));
});

test('long, cut, truncated and senseless answers end the fetch, no more',
  async () => {
    await world.name('long.acme.net', { pad: 60, truncate: true });
    await world.name('huge.acme.net', { pad: 3000, truncate: true });
    await world.name('cut.acme.net', { a: [GOOD], cut: 20 });
    await world.name('tiny.acme.net', { a: [GOOD], cut: 3 });
    await world.name('junk.acme.net', {
      raw: Buffer.alloc(500, 0xc0).toString('base64') });
    await world.name('refused.acme.net', { rcode: 5 });
    await world.name('failed.acme.net', { rcode: 2 });
    await world.name('empty.acme.net', {});
    const names = ['long', 'huge', 'cut', 'tiny', 'junk', 'refused', 'failed',
      'empty', 'none'];
    const began = Date.now();
    const results = await Promise.all(names.map((name) =>
      caller.fetch(`http://${name}.acme.net/`)));
    for (const [i, { end, error }] of results.entries()) {
      assert.ok(['DNS', 'OK', 'CONNECT'].includes(end), `${names[i]}: ${end}`);
      if (names[i] !== 'long' && names[i] !== 'huge') {
        assert.equal(end, 'DNS', names[i]);
        assert.notEqual(error, '');
      }
    }
    assert.ok(Date.now() - began < 60_000);
    assert.ok(egress.isAlive());
  });

test('a name server that says nothing ends the fetch in time', async () => {
  await world.name('silent.acme.net', { silence: true });
  const { end } = await caller.fetch('http://silent.acme.net/');
  assert.equal(end, 'DNS');
});

test('nothing is asked for a name without a rule', async () => {
  await world.forget();
  for (const name of ['data-that-leaks.evil.net', 'x.metadata.google.internal',
    'acme.net.evil.net', 'printer.local', 'a.localhost', 'evilacme.net']) {
    const { end } = await caller.fetch(`http://${name}/`);
    assert.notEqual(end, 'OK');
  }
  assert.deepEqual(await world.questions(), []);
});

test('no search domain completes a name', async () => {
  await world.forget();
  for (const name of ['api', 'intranet']) {
    const { end } = await caller.fetch(`http://${name}/`);
    assert.ok(['NO_RULE', 'BAD'].includes(end), end);
  }
  assert.deepEqual(await world.questions(), []);
});
