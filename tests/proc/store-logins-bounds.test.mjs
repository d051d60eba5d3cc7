// SPDX-License-Identifier: Apache-2.0

// Of sign-ins there are so many and no more, whatever strangers do not answer:
// bounds, and what is said at them; what is late, and is kept all the same.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ok, refused } from './admin-answers.mjs';
import { begin, finish, ISSUER, remote, SERVER, signIn, World } from './authorization.mjs';
import { folderOf, key, logins, sql, start, states, tenantOf, told } from './login-store.mjs';
import { Store } from './fake-supervisor.mjs';

const TOKEN = `POST ${ISSUER}/token`;
const REVOKE = `POST ${ISSUER}/revoke`;
const PROBE = `POST ${SERVER}`;
const asked = (world, what) => world.asked.filter((one) => one === what).length;
const isRefresh = ({ body }) => /grant_type=refresh_token/.test(body);

test('64 sign-ins wait for their person; a tenant\'s next takes the place of its own', async (t) => {
  const store = await start(t);
  await remote(t, store);
  const tokens = [undefined];
  for (let i = 1; i <= 8; i++) tokens.push(await tenantOf(store, `tenant-${i}`));
  for (const token of tokens.slice(0, 8))
    for (let i = 0; i < 8; i++) await ok(begin(store, {}, token));
  await refused(begin(store, {}, tokens[8]), 503, /64 sign-ins wait for their person/);
  await ok(begin(store, {}, tokens[7]));
  await refused(begin(store, {}, tokens[8]), 503, /64 sign-ins wait for their person/);
});

test('8 sign-ins are asked for at once, of all tenants', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const tokens = [undefined, await tenantOf(store, 'b'), await tenantOf(store, 'c')];
  for (const token of tokens) await begin(store, {}, token); // its key is known now
  world.at[PROBE] = () => 'silence';
  const waiting = [];
  for (const token of [...tokens, ...tokens, tokens[0], tokens[1]])
    waiting.push(begin(store, {}, token));
  await store.until('eight probes', () => asked(world, PROBE) === 3 + 8);
  await refused(begin(store, {}, tokens[2]), 503, /8 sign-ins are being asked for/);
  world.at = world.honest();
  for (const ask of world.egress.asks.slice(-8)) world.hear(ask);
  for (const one of waiting) await ok(one);
  await ok(begin(store, {}, tokens[2]));
});

test('256 may have signed in to a server', async (t) => {
  const folder = folderOf(t);
  let store = await start(t, folder);
  let world = await remote(t, store);
  const ids = [];
  for (const name of ['one', 'two'])
    ids.push((await ok(store.ask('POST', '/tokens', { name, scopes: ['call'] }), 201)).id);
  await signIn(store, world, { principal: ids[0] });
  const { url } = await ok(begin(store, { principal: ids[1] }));
  assert.ok(url);
  await store.stop();
  // Of others: they do not open, and take their places.
  sql(folder, `INSERT INTO logins (server, principal, url, set_at, refused, sealed)
    WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1254)
    SELECT server, i, url, set_at, refused, sealed FROM logins, n`);
  store = await start(t, folder);
  world = new World(store.egress(5));
  await world.egress.snapshot();
  assert.equal(told(world).length, 256);
  await refused(begin(store, { principal: ids[1] }), 409, /256 have signed in to the server 'r'/);
  await refused(begin(store), 409, /256 have signed in to the server 'r'/);
  // One's own is replaced; where one leaves, another one comes.
  world.n = 1;
  await signIn(store, world, { principal: ids[0] });
  assert.equal((await logins(store)).length, 256);
  const { url: late } = await ok(begin(store, { principal: ids[0] }));
  await ok(store.ask('DELETE', `/logins/${(await logins(store))[0].id}`), 204);
  await signIn(store, world, { principal: ids[1] });
  await ok(finish(store, world.authorize(late)), 201);
  await store.until('both', () => told(world).filter((one) =>
    one === `${ids[0]}=access-token-4` || one === `${ids[1]}=access-token-3`).length === 2);
});

test('a place for revocations that is silent takes no room of those that sign in', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const other = await tenantOf(store, 'other');
  world.at[REVOKE] = () => 'silence';
  const signOut = async () => {
    const { id } = await signIn(store, world);
    await ok(store.ask('DELETE', `/logins/${id}`), 204);
  };
  for (let i = 0; i < 9; i++) await signOut();
  await ok(begin(store, {}, other));
  assert.equal(asked(world, REVOKE), 8);
  assert.match(store.log, /that was signed out is not revoked, it ends by itself: /);
  // One that is answered makes room.
  world.at = world.honest();
  world.hear(world.egress.asks.find(({ url }) => url === `${ISSUER}/revoke`));
  await store.until('its end', () => world.revoked.length === 1);
  await signOut();
  await store.until('the ninth', () => asked(world, REVOKE) === 9);
});

test('a code that finds no room to be exchanged says that it is spent', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const back = world.authorize((await ok(begin(store))).url);
  world.at[REVOKE] = () => 'silence';
  world.at[TOKEN] = (ask) => (isRefresh(ask) ? 'silence' : world.token(ask));
  // Renewals that nobody waits for keep their place until they are answered.
  let full = null;
  for (let n = 0; full === null && n < 100;) {
    const begun = await begin(store);
    if (begun.status !== 200) full = begun;
    else {
      const { id } = await ok(finish(store, world.authorize(begun.json.url)), 201);
      world.egress.reject(1);
      n++;
      await store.until('a renewal', () => world.egress.asks.filter(isRefresh).length === n);
      await ok(store.ask('DELETE', `/logins/${id}`), 204);
    }
  }
  assert.match(full.json.error, /more is being asked of others than may be at once: try again in a moment/);
  await refused(finish(store, back), 503, /may be at once: sign in again in a moment/);
  await refused(finish(store, back), 404, /\/state: /);
});

test('an answer to a code that takes its time is waited for', async (t) => {
  const store = await start(t);
  const world = await remote(t, store);
  const back = world.authorize((await ok(begin(store))).url);
  world.at[TOKEN] = () => 'silence';
  const finished = finish(store, back);
  await store.until('the code', () => asked(world, TOKEN) === 1);
  // As long as a server that says nothing is waited for.
  world.at[PROBE] = () => 'silence';
  await ok(begin(store));
  world.at = world.honest();
  world.hear(world.egress.asks.find(({ url }) => url === `${ISSUER}/token`));
  assert.equal((await ok(finished, 201)).state, 'good');
});

test('a sign-out that is not durable revokes nothing', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root makes a small disk');
  const folder = folderOf(t);
  const store = await Store.start(t, folder, ['unshare', '--mount', 'sh', '-c',
    'mount -t tmpfs -o size=4m,mode=0755 tmpfs "$0" && exec "$1" "$2" "$0" "$4"', folder], key('one'));
  const inside = (...words) =>
    execFileSync('nsenter', ['-t', String(store.helper.pid), '-m', ...words]);
  const world = await remote(t, store);
  const { id } = await signIn(store, world);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  inside('sh', '-c', `cat /dev/zero > "${folder}/filling" 2>&1 || true`);
  for (let i = 0, status = 201; status === 201; i++)
    ({ status } = await store.ask('POST', '/tenants', { name: `tenant-${i}` }));
  await refused(store.ask('DELETE', `/logins/${id}`), 507, /nothing was done/);
  inside('mount', '-o', 'remount,size=64m', folder);
  assert.deepEqual(await states(store), ['good']);
  assert.equal(asked(world, REVOKE), 0, 'revoked, but it is kept');
  await ok(store.ask('DELETE', `/logins/${id}`), 204);
  await store.until('its end', () => world.revoked.join() === 'refresh-token-1');
  assert.deepEqual(told(world), []);
});
