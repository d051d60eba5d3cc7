// SPDX-License-Identifier: Apache-2.0

// A gateway that was taken over: whatever it sends, the store ends the talk and
// lives, and nothing is approved without an admin's token.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store, TYPE, adminBody, auditBody, frame, hashOf, tool }
  from './fake-supervisor.mjs';

const unended = (at, size) => {
  const body = adminBody('letmein', 'GET', '/servers', '');
  body.fill(0x61, at, at + size);
  return body;
};

const breaches = [
  ['type 0', frame(0), /of a type/],
  ['an unknown type', frame(99), /of a type/],
  ['the greatest type', frame(0xffffffff), /of a type/],
  ['a frame that is the store\'s to send', frame(TYPE.SERVER, Buffer.alloc(376)), /of a type/],
  ['a snapshot of its own', frame(TYPE.SNAPSHOT), /of a type/],
  ['a key of its own', frame(TYPE.KEY, Buffer.alloc(32)), /of a type/],
  ['an admin frame that is too short', frame(TYPE.ADMIN, Buffer.alloc(571)), /too short/],
  ['one that claims too much', frame(TYPE.ADMIN, Buffer.alloc(0), { len: 572 + (48 << 20) + 1 }), /too long/],
  ['one that claims 4 GiB', frame(TYPE.ADMIN, Buffer.alloc(0), { len: 0xffffffff }), /too long/],
  ['an ended session of another size', frame(TYPE.ENDED, Buffer.alloc(25)), /too long/],
  ['an ended session for ever', frame(TYPE.ENDED, Buffer.alloc(24, 0xff)), /never expires/],
  ['a method without an end', frame(TYPE.ADMIN, unended(32, 8)), /do not end/],
  ['a path without an end', frame(TYPE.ADMIN, unended(40, 512)), /do not end/],
  ['a request id without an end', frame(TYPE.ADMIN, unended(552, 20)), /do not end/],
  ['an audit record that is no JSON', frame(TYPE.AUDIT, auditBody('x', '{')), /no JSON object/],
  ['an audit record that is no object', frame(TYPE.AUDIT, auditBody('x', '[]')), /no JSON object/],
  ['an audit record of 64 KiB and more', frame(TYPE.AUDIT, auditBody('x', `{"a":"${'x'.repeat(65536)}"}`)), /too long/],
  ['an action without an end', frame(TYPE.AUDIT, auditBody('a'.repeat(32), '{}')), /do not end/],
  ['an audit record without a number', frame(TYPE.AUDIT, auditBody('x', '{}', { sequence: 0 })), /without a number/],
  ['a surface that is no JSON', frame(TYPE.SURFACE, Buffer.from('nope')), /no JSON object/],
];

for (const [what, bytes, words] of breaches) {
  test(`ends a gateway that sends ${what}`, async (t) => {
    const store = await Store.start(t);
    store.stream.write(bytes);
    await store.closed;
    const breach = await store.told('BREACH', (m) => m.type === 'BREACH');
    assert.match(breach.text, words);
    // And lives: the next gateway is served.
    await store.relink();
    assert.equal((await store.ask('GET', '/servers')).status, 200);
    assert.equal(store.exit, undefined);
  });
}

test('takes what honest gateways send, in any pieces', async (t) => {
  const store = await Store.start(t);
  const fresh = () => Buffer.concat([
    frame(TYPE.AUDIT, auditBody('tools/call', '')),
    frame(TYPE.AUDIT, auditBody('tools/call', ' {"a":1} ')),
    frame(TYPE.ENDED, Buffer.alloc(24, 1)),
    frame(TYPE.SURFACE, Buffer.from('{}'), { id: 7 }),
  ]);
  for (const byte of fresh()) store.stream.write(Buffer.of(byte));
  for (let size = 2, bytes; size < 64; size += 7)
    for (let at = (bytes = fresh(), 0); at < bytes.length; at += size)
      store.stream.write(bytes.subarray(at, at + size));
  const { json } = await store.ask('GET', '/audit/verify');
  assert.deepEqual(json, { ok: true, checked: 20 });
  assert.deepEqual(store.messages.filter((m) => m.type === 'BREACH'), []);
});

test('an owned gateway approves nothing', async (t) => {
  const store = await Store.start(t);
  const { json: reader } = await store.ask('POST', '/tokens',
    { name: 'reader', scopes: ['read', 'call'] });
  await store.ask('POST', '/servers', tool('evil'));
  // What it knows: tokens that lack the scope, all of the snapshot.
  const known = store.frames.filter((f) => f.type === TYPE.TOKEN)
    .map((f) => f.hash);
  assert.ok(known.some((hash) => hash.equals(hashOf(hashOf('letmein')))));
  const guesses = [hashOf(reader.token), Buffer.alloc(32), Buffer.alloc(32, 0xff),
    store.frames.find((f) => f.type === TYPE.KEY).body, ...known];
  for (const hash of guesses) {
    for (const [method, path] of [['POST', '/servers/evil/approve'], ['POST', '/tokens'],
      ['DELETE', '/servers/evil'], ['GET', '/audit'], ['GET', '/nothing']]) {
      const answer = await store.ask(method, path, '', hash);
      assert.ok([401, 403].includes(answer.status), `${method} ${path}: ${answer.status}`);
    }
  }
  assert.deepEqual(store.servers(), { 'local/evil': 'quarantined' });
  assert.deepEqual(store.deployed(), []);
  const { json } = await store.ask('GET', '/audit');
  assert.equal(json.records.filter((one) => one.detail.status >= 401).length,
    guesses.length * 5);
  // The control: with the token itself it would be done.
  assert.equal((await store.ask('POST', '/servers/evil/approve')).status, 200);
});

test('a gateway that never reads its answers is ended', async (t) => {
  const store = await Store.start(t);
  for (let i = 0; i < 40; i++)
    await store.ask('POST', '/servers', tool(`server-${i}`, `// ${i}`));
  store.stream.pause();
  let asked = 0;
  const more = () => {
    while (asked++ < 40000)
      if (!store.stream.write(frame(TYPE.ADMIN,
        adminBody('letmein', 'GET', '/servers', ''), { id: asked })))
        return store.stream.once('drain', more);
  };
  more();
  const breach = await store.told('BREACH', (m) => m.type === 'BREACH');
  assert.match(breach.text, /does not read/);
  await store.relink();
  assert.equal((await store.ask('GET', '/tenants')).status, 200);
});

test('a big bundle goes through, one byte more does not', async (t) => {
  const store = await Store.start(t);
  const size = (32 << 20) - 64;
  const fits = await store.ask('POST', '/servers', tool('big', 'x'.repeat(size)));
  assert.equal(fits.status, 201, JSON.stringify(fits.json));
  const over = await store.ask('POST', '/servers', tool('big', 'x'.repeat(32 << 20)));
  assert.equal(over.status, 413);
  const approved = await store.ask('POST', '/servers/big/approve');
  assert.equal(approved.status, 200);
  const deployed = await store.told('DEPLOY', (m) => m.type === 'DEPLOY');
  assert.ok(deployed.bytes > size);
});
