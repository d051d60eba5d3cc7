// SPDX-License-Identifier: Apache-2.0

// Signing in to remote servers, by a real store that has no network: what it
// asks, what it keeps, what it tells egress, and what it makes of strangers,
// gateways and an egress that are not what they should be.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from '../lib/paths.mjs';
import { ok, refused } from './admin-answers.mjs';
import { begin, finish, ISSUER, REDIRECT, remote, SERVER, signIn, timeout, unknown, World }
  from './authorization.mjs';
import { Store, tool } from './fake-supervisor.mjs';

const key = (name) => createHash('sha256').update(name).digest('base64');

function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-logins-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const start = (t, folder, keys = key('one')) => Store.start(t, folder, [], keys);

const logins = async (store, token) => (await ok(store.ask('GET', '/logins', '', token))).logins;
const states = async (store) => (await logins(store)).map(({ state }) => state);

// What egress puts into requests now, of the server that was told last.
const told = (world) => (world.egress.records.findLast(({ type }) => type === 'SERVER')?.clear ?? [])
  .filter(({ name }) => name === 'OAUTH_TOKEN')
  .map(({ principal, value }) => `${principal}=${value}`);

function sql(folder, ...statements) {
  return execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for one in sys.argv[2:]:
    rows = db.execute(one).fetchall()
db.commit()
print(rows)`, join(folder, 'cordon.db'), ...statements], { encoding: 'utf8' });
}

const audited = async (store, action) =>
  (await ok(store.ask('GET', '/audit?limit=1000'))).records.filter((one) => one.action === action);

test('signs in: who is asked what, what is kept, what egress is told', async (t) => {
  const folder = folderOf(t);
  const store = await start(t, folder);
  const world = await remote(t, store);
  const offered = await ok(begin(store));
  assert.deepEqual([offered.issuer, offered.resource, offered.scope, offered.registration,
    offered.expires_in], [ISSUER, SERVER, 'mcp:read', 'dynamic', 600]);
  assert.deepEqual(world.asked, [`POST ${SERVER}`,
    'GET https://mcp.example.com/.well-known/oauth-protected-resource/v1/mcp',
    `GET ${ISSUER}/.well-known/oauth-authorization-server`, `POST ${ISSUER}/register`]);
  const asked = Object.fromEntries(new URL(offered.url).searchParams);
  assert.deepEqual([asked.client_id, asked.redirect_uri, asked.resource, asked.scope],
    ['client-one', REDIRECT, SERVER, 'mcp:read']);
  assert.deepEqual(await logins(store), [], 'there is one before there are tokens');

  const row = await ok(finish(store, world.authorize(offered.url)), 201);
  assert.deepEqual([row.tenant, row.server, row.principal, row.issuer, row.resource, row.scope,
    row.state, row.renews], ['local', 'r', undefined, ISSUER, SERVER, 'mcp:read', 'good', true]);
  assert.ok(Math.abs(row.expires - row.set - 3600) <= 1);
  assert.deepEqual(await logins(store), [row]);
  await store.until('the token', () => told(world).join() === '0=access-token-1');
  const secret = world.egress.records.findLast(({ type }) => type === 'SERVER').clear[0];
  assert.deepEqual(secret, { name: 'OAUTH_TOKEN', host: 'mcp.example.com', port: 443, kind: 0,
    principal: 0, field: 'authorization', template: 'Bearer {}', value: 'access-token-1' });

  for (const [action, status] of [['login/begin', 200], ['login/finish', 201]]) {
    const [entry] = await audited(store, action);
    assert.deepEqual([entry.detail.status, entry.detail.server, entry.detail.host,
      entry.principal_name], [status, 'r', 'auth.example.com', 'local']);
  }
  await store.stop();

  // Nowhere in what it wrote; the control: the server's URL is.
  const all = Buffer.concat([...readdirSync(folder).map((one) => readFileSync(join(folder, one))),
    Buffer.from(store.log)]);
  assert.ok(all.includes(SERVER));
  for (const one of ['access-token', 'refresh-token', 'code-1', 'client-one', asked.state])
    for (const spelt of [one, Buffer.from(one).toString('base64').slice(0, 10)])
      assert.ok(!all.includes(spelt), `${one} is in the folder or the log`);
});
