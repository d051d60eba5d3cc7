// SPDX-License-Identifier: Apache-2.0

// Beginning to sign in, by a real store: what it offers is proven, to the one who
// asked, and for what was asked alone; and whose a sign-in may be.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { prove, sealKey } from '../lib/begin.mjs';
import { build } from '../lib/paths.mjs';
import { ok, refused } from './admin-answers.mjs';
import {
  begin, ISSUER, REDIRECT, remote, SERVER, signIn, vaultOf,
} from './authorization.mjs';
import { Store } from './fake-supervisor.mjs';

const KEYS = createHash('sha256').update('one').digest('base64');
const start = (t) => Store.start(t, undefined, [], KEYS);

test('what is offered is proven, with a key for what is asked for alone', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const own = randomBytes(32);
  const offered = await ok(begin(store, { scope: 'mcp:write' }, undefined, { key: own }));
  assert.equal(offered.proof, prove(own, offered));
  assert.notEqual(offered.proof, prove(randomBytes(32), offered));
  const { url } = await ok(begin(store, {}, undefined, { key: own }));
  assert.notEqual(offered.proof, prove(own, { ...offered, url }));

  const { public_key: publicKey } = await vaultOf(store);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  const said = { server: 'r', redirect_uri: REDIRECT, scope: 'mcp:read', issuer: ISSUER,
    client_id: 'given', principal: id };
  const asked = (letter, body) => store.ask('POST', '/logins',
    { ...said, key: sealKey(publicKey, { ...said, ...letter }), ...body });
  const before = world.asked.length;
  for (const letter of [{ server: 's' }, { redirect_uri: 'http://127.0.0.1:43211/callback' },
    { scope: 'mcp:write' }, { scope: undefined }, { issuer: 'https://b.example.com' },
    { issuer: undefined }, { client_id: 'other' }, { client_id: undefined },
    { principal: id + 1 }, { principal: undefined }])
    await refused(asked(letter), 422, /\/key: was sealed for another/);
  await refused(begin(store, {}, undefined, { tenant: 'evil' }), 422, /\/key: was sealed for another/);
  for (const length of [0, 31, 33]) await refused(begin(store, {}, undefined,
    { key: randomBytes(length) }), 422, /\/key: must be 32 bytes/);
  for (const [bad, words] of [[undefined, /\/key: is missing/], [5, /\/key: /], ['', /\/key: is no letter|not sealed/],
    ['?', /\/key: is no letter/], ['AAAA', /\/key: is not sealed to this host/],
    [sealKey(Buffer.alloc(32, 9).toString('base64'), said), /\/key: is not sealed to this host/],
    ['A'.repeat(20_000), /\/key: is no letter/]])
    await refused(asked({}, { key: bad }), 422, words);
  await refused(begin(store, {}, undefined, { issued: Date.now() - 3_600_000 }), 409,
    /\/key: was sealed \d+ minutes ago/);
  // One for a secret, or a client's, is for nothing else.
  const other = execFileSync(join(build, 'tests/unit/store/seal-letter'), ['--client', publicKey,
    'local', 'r', ISSUER, 'given', id, Date.now()].map(String), { input: own });
  await refused(asked({}, { key: String(other).trim() }), 422, /\/key: was sealed for another/);
  assert.equal(world.asked.length, before, 'somebody was asked');
  await ok(asked({}));
});

test('a sign-in of one token is not to a link that all share', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const { id } = await ok(store.ask('POST', '/tokens', { name: 'one', scopes: ['call'] }), 201);
  for (const share of ['principal', 'session', 'all']) {
    const { digest } = await ok(store.ask('POST', '/servers', { name: 'r', url: SERVER, share }));
    await ok(store.ask('POST', '/servers/r/approve', { digest }));
    const begun = begin(store, { principal: id });
    if (share === 'all')
      await refused(begun, 409, /\/principal: all calls of the server 'r' share one link \(share: all\), which is nobody's: sign in for everybody, or add it with another share/);
    else await ok(begun);
    await ok(begin(store));
  }
  assert.equal((await signIn(store, world)).principal, undefined);
});
