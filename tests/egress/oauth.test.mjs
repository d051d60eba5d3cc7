// SPDX-License-Identifier: Apache-2.0

// Signing in to remote servers, by a whole host: `cordon upstream login`, a
// person with a browser, an authorization server as strict as one may be, and
// MCP servers of the official SDK behind their requireBearerAuth. What becomes
// of the tokens then: oauth-renew.test.mjs.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { valueOf } from '../lib/mcp.mjs';
import { Oauth } from '../lib/oauth.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { addTenant, bearer, modern } from '../lib/strangers.mjs';
import { World } from '../lib/world.mjs';

const AUTH = 'auth.acme.net';
const ISSUER = `https://${AUTH}`;
const WAIT = 30_000 * patience;
const URL_OF = 'https://mcp.acme.net/mcp';

let world;
let oauth;
let host;

before(async () => {
  world = await World.start();
  oauth = await Oauth.start(world);
  await oauth.add(AUTH, 'authority', '45.83.8.1');
  await oauth.add('mcp.acme.net', 'resource', '45.83.8.2', { issuers: [ISSUER] });
  await oauth.add('both.acme.net', 'sdk', '45.83.8.3');
  await oauth.add('client.acme.net', 'page', '45.83.8.4');
  host = await Host.start({ config: { ...world.config(), servers: {
    files: { url: URL_OF }, both: { url: 'https://both.acme.net/mcp' } } } });
});
after(async () => {
  const ended = await host?.stop();
  await world?.stop();
  assert.deepEqual([ended?.exit, ended?.left], [{ code: 0, signal: null }, []]);
});

async function call(tool, { server = 'files', token = host.token, tenant } = {}) {
  const path = `${tenant ? `/t/${tenant}` : ''}/s/${server}/mcp`;
  const { result, error } = await modern(host.url + path, token, 'tools/call',
    { name: tool, arguments: {} });
  if (error) throw new Error(error.message);
  return result.isError ? Promise.reject(new Error(result.content[0].text)) : valueOf(result);
}

const logins = async () => (await oauth.api(host, 'GET', '/logins')).logins;
const honest = async () => {
  await oauth.set(AUTH);
  await oauth.set('mcp.acme.net', { issuers: [ISSUER] });
  await oauth.forget();
};
const signIn = async (options, server = 'files') => {
  const done = await oauth.signIn(host, server, options);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.page.text, 'Signed in. This window can be closed.\n');
  return done;
};
const signOut = async (...words) => {
  const { code, stderr } = await oauth.cordon(host, 'upstream', 'logout', 'files', ...words);
  assert.equal(code, 0, stderr);
};

test('control: the official client signs in to these by itself', async () => {
  const program = fileURLToPath(new URL('../lib/oauth/client.mjs', import.meta.url));
  for (const name of ['mcp', 'both']) {
    const { code, stdout, stderr } = await world.run(
      [process.execPath, program, `https://${name}.acme.net/mcp`]);
    assert.equal(code, 0, stderr);
    assert.ok(JSON.parse(stdout).client, stdout);
  }
});

test('without a sign-in, a call says what to do', async () => {
  await assert.rejects(call('whoami'), /cordon upstream login files/);
  assert.deepEqual(await logins(), []);
});

test('a person signs in, and tools are called as that person', async () => {
  await oauth.set('mcp.acme.net', { issuers: [ISSUER], scopes: ['files:read', 'files:write'] });
  await oauth.forget();
  const { asked, row } = await signIn({ user: 'alice' });
  assert.equal(asked.issuer, ISSUER);
  assert.equal(asked.resource, URL_OF);
  assert.equal(asked.scope, 'files:read files:write');
  assert.equal(asked.registration, 'dynamic');
  assert.equal(row.state, 'good');
  assert.equal(row.renews, true);
  assert.ok(Math.abs(row.expires - row.set - 3600) < 60, JSON.stringify(row));
  assert.deepEqual(await call('whoami'), { user: 'alice',
    scopes: ['files:read', 'files:write'], client: new URL(asked.url).searchParams.get('client_id') });

  // What went to whom, and what did not.
  const url = new URL(asked.url);
  const [register] = await oauth.seen({ host: AUTH, path: '/register' });
  const client = JSON.parse(register.body);
  assert.deepEqual(client.redirect_uris, [url.searchParams.get('redirect_uri')]);
  const [form] = await oauth.forms(AUTH);
  assert.equal(form.resource, URL_OF);
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
  assert.equal(url.searchParams.get('code_challenge'),
    createHash('sha256').update(form.code_verifier).digest('base64url'));
  const probes = (await oauth.seen({ host: 'mcp.acme.net', method: 'POST' }))
    .filter(({ headers }) => !headers.authorization);
  assert.equal(probes.length, 1, 'the server itself is asked once, without anything');
  for (const { headers } of await oauth.seen({ host: AUTH }))
    assert.ok(!/access-/.test(headers.authorization ?? ''), 'no token goes there');
});

test('what a server says of its token is not heard', async () => {
  const tokens = (await oauth.tokens()).filter(({ kind }) => kind === 'access');
  const heard = JSON.stringify(await call('heard'));
  assert.match(heard, /Bearer \*+/);
  for (const { text } of tokens) assert.ok(!heard.includes(text));
  const [{ headers }] = (await oauth.seen({ host: 'mcp.acme.net', method: 'POST' })).slice(-1);
  assert.ok(tokens.some(({ text }) => headers.authorization === `Bearer ${text}`),
    'control: it was there');
});

test('it is listed, and ended: revoked there, gone here', async () => {
  const [row] = await logins();
  assert.deepEqual([row.server, row.tenant, row.issuer, row.resource, row.state],
    ['files', 'local', ISSUER, URL_OF, 'good']);
  const was = await call('whoami');
  assert.ok((await oauth.tokens()).some(({ client }) => client === was.client), 'control');
  await oauth.forget();
  await signOut();
  assert.deepEqual(await logins(), []);
  await until('it to be revoked there', async () =>
    (await oauth.forms(AUTH, '/revoke')).length > 0, WAIT);
  assert.deepEqual((await oauth.tokens()).filter(({ client }) => client === was.client), []);
  await assert.rejects(call('whoami'), /cordon upstream login files/);
  const { headers } = (await oauth.seen({ host: 'mcp.acme.net', method: 'POST' })).at(-1);
  assert.equal(headers.authorization, undefined);
});

test('the person says no', async () => {
  await honest();
  const { code, page, stderr } = await oauth.signIn(host, 'files', { deny: 'I do not\u001b[2J' });
  assert.equal(code, 1);
  assert.equal(page.text, 'Signing in failed; the command line says why.\n');
  assert.match(stderr, /access_denied/);
  assert.doesNotMatch(stderr, /\u001b/);
  assert.deepEqual(await logins(), []);
});

test('two tokens are two people; everybody else is the one of all', async () => {
  await honest();
  const ids = {};
  for (const name of ['alice', 'bob', 'carol'])
    ids[name] = await oauth.api(host, 'POST', '/tokens', { name, scopes: ['read', 'call'] });
  await signIn({ user: 'alice', words: ['--principal', 'alice'] });
  await assert.rejects(call('whoami', { token: ids.carol.token }), /cordon upstream login/);
  const bob = await signIn({ user: 'bob', words: ['--principal', String(ids.bob.id)] });
  assert.equal(bob.row.principal, ids.bob.id);
  await signIn({ user: 'zoe' });
  for (const [name, user] of [['alice', 'alice'], ['bob', 'bob'], ['carol', 'zoe']])
    assert.equal((await call('whoami', { token: ids[name].token })).user, user);
  assert.equal((await call('whoami')).user, 'zoe');
  // All at once: each as who they are.
  const users = await Promise.all(Array.from({ length: 24 }, (_, i) =>
    call('whoami', { token: ids[['alice', 'bob', 'carol'][i % 3]].token })));
  assert.deepEqual(users.map(({ user }) => user),
    Array.from({ length: 24 }, (_, i) => ['alice', 'bob', 'zoe'][i % 3]));

  // Bob signs in as another; alice out; nobody else notices.
  await signIn({ user: 'bert', words: ['--principal', 'bob'] });
  await signOut('--principal', 'alice');
  for (const [name, user] of [['alice', 'zoe'], ['bob', 'bert'], ['carol', 'zoe']])
    assert.equal((await call('whoami', { token: ids[name].token })).user, user);
  // A token that goes takes its sign-in with it.
  await oauth.api(host, 'DELETE', `/tokens/${ids.bob.id}`);
  assert.deepEqual((await logins()).map(({ principal }) => principal ?? 0), [0]);
  await signOut();
});

test('another tenant signs in by itself, and sees nothing of it', async () => {
  await honest();
  await signIn({ user: 'alice' });
  const other = await addTenant(host, 'other');
  const added = await oauth.api(host, 'POST', '/servers', { name: 'files', url: URL_OF }, other.admin);
  await oauth.api(host, 'POST', '/servers/files/approve', { digest: added.digest }, other.admin);
  const theirs = { token: other.caller, tenant: 'other' };
  await assert.rejects(call('whoami', theirs), /cordon upstream login files/);
  assert.deepEqual((await oauth.api(host, 'GET', '/logins', undefined, other.admin)).logins, []);

  const redirect_uri = 'http://127.0.0.1:7391/callback';
  const begun = await oauth.begin(host, { server: 'files', redirect_uri },
    { tenant: 'other', token: other.admin });
  assert.equal(begun.status, 200, begun.error);
  const { location } = await oauth.browse(begun.url,
    { user: 'mallory', until: (at) => at.startsWith(redirect_uri) });
  const back = Object.fromEntries(new URL(location).searchParams);
  // Who has the address of another tenant's can do nothing with it.
  const stolen = await oauth.api(host, 'POST', '/logins/finish', back);
  assert.ok(stolen.status >= 400, JSON.stringify(stolen));
  assert.equal((await call('whoami')).user, 'alice');
  const done = await oauth.api(host, 'POST', '/logins/finish', back, other.admin);
  assert.equal(done.status, 201, done.error);
  assert.equal((await call('whoami', theirs)).user, 'mallory');
  assert.equal((await call('whoami')).user, 'alice');
  const again = await oauth.api(host, 'POST', '/logins/finish', back, other.admin);
  assert.ok(again.status >= 400, 'a state is good once');

  const [row] = (await oauth.api(host, 'GET', '/logins', undefined, other.admin)).logins;
  const [mine] = (await logins()).filter(({ tenant }) => tenant === 'local');
  const gone = await oauth.api(host, 'DELETE', `/logins/${mine.id}`, undefined, other.admin);
  assert.equal(gone.status, 404);
  assert.equal((await oauth.api(host, 'DELETE', `/logins/${row.id}`, undefined,
    other.admin)).status, 204);
  assert.equal((await call('whoami')).user, 'alice');

  // By the command line: for another tenant, and as its own admin.
  const file = join(host.folder, 'admin-of-other');
  writeFileSync(file, `${other.admin}\n`, { mode: 0o600 });
  // Whose sign-in it is to be, the gateway does not say.
  const unsaid = await oauth.signIn(host, 'files', { words: ['--token-file', file] });
  assert.equal(unsaid.code, 2);
  assert.match(unsaid.stderr, /the token is of the tenant "other": say --tenant other/);
  for (const [words, user] of [[['--tenant', 'other'], 'olga'], [['--token-file', file], 'oscar']]) {
    await signIn({ user, words: [...words, '--tenant', 'other'] });
    assert.equal((await call('whoami', theirs)).user, user);
    const { stdout } = await oauth.cordon(host, 'upstream', 'logins', '--json', ...words);
    assert.deepEqual(JSON.parse(stdout).logins.map(({ tenant }) => tenant), ['other']);
    await signOut(...words);
    await assert.rejects(call('whoami', theirs), /cordon upstream login files/);
  }
  assert.equal((await call('whoami')).user, 'alice');
  await signOut();
});

test('who may only call can neither sign in nor see who has', async () => {
  const { token } = await oauth.api(host, 'POST', '/tokens',
    { name: 'caller', scopes: ['read', 'call'] });
  for (const [method, path] of [['GET', '/logins'], ['POST', '/logins'],
    ['POST', '/logins/finish'], ['DELETE', '/logins/1']]) {
    const response = await fetch(`${host.url}/admin${path}`, { method,
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: method === 'POST' ? '{}' : undefined });
    assert.ok([403, 404].includes(response.status), `${method} ${path}: ${response.status}`);
  }
});

// Other authorization servers and other servers, all of them honest.
const kinds = {
  'metadata of OpenID': { auth: { places: ['oidc'] } },
  'an issuer with a path': { issuer: `${ISSUER}/tenants/7` },
  'an issuer with a path, OpenID': { issuer: `${ISSUER}/tenants/7`, auth: { places: ['oidc'] } },
  'an issuer with a path, OpenID behind it': { issuer: `${ISSUER}/tenants/7`,
    auth: { places: ['oidc-appended'] } },
  'no iss in its answers': { auth: { iss: null,
    metadata: { authorization_response_iss_parameter_supported: null } } },
  'its resource\'s metadata at the root': { mcp: { places: ['root'], challenge: false } },
  'a challenge that names no metadata': { mcp: { challenge: 'Bearer realm="mcp"' } },
  'two challenges, and a scope': { words: [], scope: 'files:list',
    mcp: { challenge: 'Basic realm="a, Bearer", Bearer scope="files:list", ' +
      'resource_metadata="https://mcp.acme.net/.well-known/oauth-protected-resource/mcp"' } },
  'a scope that is said': { words: ['--scope', 'files:mine'], scope: 'files:mine',
    mcp: { scopes: ['files:all'] } },
  'less than was asked for': { auth: { scope: 'files:little' }, mcp: { scopes: ['files:all'] },
    granted: 'files:little' },
  'no word of how long it is good': { auth: { token: { expires_in: null } } },
  'two issuers, the second meant': { mcp: { issuers: ['https://first.acme.net', ISSUER] },
    words: ['--issuer', ISSUER] },
  'a client that it knows': { words: ['--client-id', 'mine', '--issuer', ISSUER, '--port', '7391'],
    registration: 'given',
    auth: { clients: { mine: { redirect_uris: ['http://127.0.0.1:7391/callback'] } } } },
  'a client with a secret': { registration: 'given', input: 'a-secret: of 100% ours\n',
    words: ['--client-id', 'mine', '--client-secret', '--issuer', ISSUER, '--port', '7391'],
    auth: { clients: { mine: { secret: 'a-secret: of 100% ours',
      redirect_uris: ['http://127.0.0.1:7391/callback'] } } } },
  'a client with a secret, in the header alone': { registration: 'given', input: 'a-secret: of 100% ours\n',
    words: ['--client-id', 'mine', '--client-secret', '--issuer', ISSUER, '--port', '7391'],
    auth: { metadata: { token_endpoint_auth_methods_supported: ['client_secret_basic'] },
      clients: { mine: { secret: 'a-secret: of 100% ours',
        redirect_uris: ['http://127.0.0.1:7391/callback'] } } } },
  'clients that have secrets, all of them': { auth: { metadata:
    { token_endpoint_auth_methods_supported: ['client_secret_post'] } } },
  'a client\'s document': { registration: 'document', auth: { cimd: true },
    words: ['--client-id', 'https://client.acme.net/cordon.json', '--issuer', ISSUER,
      '--port', '7391'] },
};
for (const [name, kind] of Object.entries(kinds)) {
  test(`there are others: ${name}`, async () => {
    await honest();
    const issuer = kind.issuer ?? ISSUER;
    await oauth.set(AUTH, { issuer, ...kind.auth });
    await oauth.set('mcp.acme.net', { issuers: [issuer], ...kind.mcp });
    await oauth.set('client.acme.net', { pages: { '/cordon.json': { body: JSON.stringify({
      client_id: 'https://client.acme.net/cordon.json', client_name: 'cordon',
      redirect_uris: ['http://127.0.0.1:7391/callback'],
      token_endpoint_auth_method: 'none' }) } } });
    const { asked } = await signIn({ words: kind.words, input: kind.input });
    assert.equal(asked.issuer, issuer);
    assert.equal(asked.registration, kind.registration ?? 'dynamic');
    if (kind.scope) assert.equal(asked.scope, kind.scope);
    const { user, scopes } = await call('whoami');
    assert.equal(user, 'alice');
    assert.deepEqual(scopes, [kind.granted ?? kind.scope ?? kind.mcp?.scopes?.[0] ?? '']);
    await signOut();
  });
}

test('one that the SDK made, both in one', async () => {
  await signIn({}, 'both');
  assert.deepEqual((await call('whoami', { server: 'both' })).scopes, ['mcp:tools']);
  assert.equal((await oauth.cordon(host, 'upstream', 'logout', 'both')).code, 0);
});

test('one of MCP 2025-03-26: no metadata of its own, its origin signs in', async () => {
  await oauth.set('both.acme.net', { challenge: false, pages:
    { '/.well-known/oauth-protected-resource/mcp': { status: 404 },
      '/.well-known/oauth-protected-resource': { status: 404 } } });
  await signIn({}, 'both');
  assert.deepEqual((await call('whoami', { server: 'both' })).scopes, ['mcp:tools']);
  assert.equal((await oauth.cordon(host, 'upstream', 'logout', 'both')).code, 0);
  await oauth.set('both.acme.net');
});

test('a server that wants no sign-in, and one that is not there', async () => {
  await honest();
  await oauth.set('mcp.acme.net', { open: true, places: [] });
  const open = await oauth.signIn(host, 'files');
  assert.equal(open.code, 1);
  assert.match(open.stderr, /answers 200 without asking for a sign-in/);
  assert.deepEqual(await call('whoami'), {});
  const none = await oauth.signIn(host, 'nothing');
  assert.equal(none.code, 1);
  assert.match(none.stderr, /nothing/);
});

test('a server that has a secret for that header is not signed in to', async () => {
  await honest();
  const body = { server: 'files', redirect_uri: 'http://127.0.0.1:7391/callback' };
  assert.equal((await oauth.begin(host, body)).status, 200, 'control');
  const set = await oauth.cordon(host, 'secret', 'set', 'KEY', '--for', 'files',
    '--host', 'mcp.acme.net', { input: 'a-key-of-ones-own\n' });
  assert.equal(set.code, 0, set.stderr);
  const { status, error } = await oauth.begin(host, body);
  assert.equal(status, 409, error);
  assert.match(error, /KEY/);
  await oauth.cordon(host, 'secret', 'rm', 'KEY', '--for', 'files');
});
