// SPDX-License-Identifier: Apache-2.0

// A store that signs in to a remote server 'r' (authorization.mjs): its folder,
// what it says of sign-ins, and what it tells egress.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok } from './admin-answers.mjs';
import { SERVER } from './authorization.mjs';
import { Store } from './fake-supervisor.mjs';

export const key = (name) => createHash('sha256').update(name).digest('base64');

export function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-logins-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const start = (t, folder, keys = key('one')) => Store.start(t, folder, [], keys);

export const logins = async (store, token) => (await ok(store.ask('GET', '/logins', '', token))).logins;
export const states = async (store) => (await logins(store)).map(({ state }) => state);

// What egress puts into requests to the server 'r' now.
export const told = (world) => (world.egress.records
  .findLast(({ type, name }) => type === 'SERVER' && name === 'r')?.clear ?? [])
  .filter(({ name }) => name === 'OAUTH_TOKEN')
  .map(({ principal, value }) => `${principal}=${value}`);

export function sql(folder, ...statements) {
  return execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for one in sys.argv[2:]:
    rows = db.execute(one).fetchall()
db.commit()
print(rows)`, join(folder, 'cordon.db'), ...statements], { encoding: 'utf8' });
}

// Another tenant with the server 'r'; its admin's token.
export async function tenantOf(store, name) {
  await ok(store.ask('POST', '/tenants', { name }), 201);
  const { token } = await ok(store.ask('POST', `/tokens?tenant=${name}`,
    { name: 'admin', scopes: ['admin'] }), 201);
  await ok(store.ask('POST', '/servers', { name: 'r', url: SERVER }, token), 201);
  await ok(store.ask('POST', '/servers/r/approve', '', token));
  return token;
}
