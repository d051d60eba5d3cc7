// SPDX-License-Identifier: Apache-2.0

// What becomes of the tokens that a sign-in brought: renewed ahead of their
// end, after a refusal and after a restart; nowhere to be found in the clear;
// and what is said when they are good no more.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, valueOf } from '../lib/mcp.mjs';
import { Oauth } from '../lib/oauth.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const AUTH = 'auth.acme.net';
const WAIT = 60_000 * patience;
const SERVERS = ['ahead', 'refused', 'again', 'ends', 'kept'];

let world;
let oauth;
let host;
let config;

before(async () => {
  world = await World.start();
  oauth = await Oauth.start(world);
  config = { ...world.config(), servers: {} };
  // Each test has a server and an issuer of its own.
  for (const [i, name] of SERVERS.entries()) {
    await oauth.add(`${name}.${AUTH}`, 'authority', `45.83.8.${10 + i}`);
    await oauth.add(`${name}.acme.net`, 'resource', `45.83.8.${30 + i}`,
      { issuers: [`https://${name}.${AUTH}`] });
    config.servers[name] = { url: `https://${name}.acme.net/mcp` };
  }
  host = await Host.start({ config });
});
after(async () => {
  const ended = await host?.stop();
  await world?.stop();
  assert.deepEqual([ended?.exit, ended?.left], [{ code: 0, signal: null }, []]);
});

const call = async (server, tool = 'whoami') => {
  const result = await callTool(host, server, tool, {});
  if (result.isError) throw new Error(result.content[0].text);
  return valueOf(result);
};
const loginOf = async (name) => (await oauth.api(host, 'GET', '/logins')).logins
  .find(({ server }) => server === name);
const signIn = async (name, settings) => {
  await oauth.set(`${name}.${AUTH}`, settings);
  const done = await oauth.signIn(host, name);
  assert.equal(done.code, 0, done.stderr);
  return done;
};
const renewals = async (name) => (await oauth.forms(`${name}.${AUTH}`))
  .filter(({ grant_type: grant }) => grant === 'refresh_token');
const carried = async (name) => (await oauth.seen({ host: `${name}.acme.net`, method: 'POST' }))
  .at(-1).headers.authorization?.replace('Bearer ', '');

// Egress that has just begun may not have heard yet what it may.
const answers = (name) => until('an answer', () => call(name).then(({ user }) =>
  user === 'alice', ({ message }) => {
  assert.doesNotMatch(message, /upstream login/);
  return false;
}), WAIT);

// A call says what to do, and carries nothing.
async function signedOut(name) {
  await until('a call to say that nobody is signed in', () => call(name).then(() => false,
    ({ message }) => message.includes(`cordon upstream login ${name}`)), WAIT);
  await oauth.forget();
  await assert.rejects(call(name), new RegExp(`cordon upstream login ${name}`));
  for (const { headers } of await oauth.seen({ host: `${name}.acme.net` }))
    assert.equal(headers.authorization, undefined);
}

test('it is renewed ahead of its end, and the refresh token with it', async () => {
  // 62 s: a minute before its end is 2 s from now.
  await signIn('ahead', { life: 62 });
  assert.equal((await call('ahead')).user, 'alice');
  const before = await carried('ahead');
  await until('it to be renewed', async () => (await renewals('ahead')).length > 0, WAIT);
  await until('the new one to be sent', async () => {
    assert.equal((await call('ahead')).user, 'alice');
    return await carried('ahead') !== before;
  }, WAIT);
  const [form] = await renewals('ahead');
  const issued = (await oauth.tokens()).filter(({ issuer, kind }) =>
    kind === 'refresh' && issuer === `https://ahead.${AUTH}`);
  assert.deepEqual(issued.map(({ isUsed }) => isUsed === true), [true, false],
    'each was used once');
  assert.equal(form.refresh_token, issued[0].text);
  assert.equal(form.resource, 'https://ahead.acme.net/mcp');
  assert.equal((await loginOf('ahead')).state, 'good');
});

test('a token that the server refuses is renewed at once', async () => {
  await signIn('refused', {});
  assert.equal((await call('refused')).user, 'alice');
  assert.deepEqual(await renewals('refused'), []);
  for (const { text, issuer } of await oauth.tokens())
    if (issuer === `https://refused.${AUTH}` && text.startsWith('access'))
      await oauth.drop(text);
  await until('an answer again', () => call('refused').then(({ user }) => user === 'alice',
    (error) => {
      assert.match(error.message, /refused|401|sign/i);
      return false;
    }), WAIT);
  assert.equal((await renewals('refused')).length, 1);
});

test('a renewal that fails for now is tried again', async () => {
  await signIn('again', { life: 62 });
  await oauth.set(`again.${AUTH}`, { life: 62,
    pages: { '/token': { status: 503, body: '{"error":"temporarily_unavailable"}' } } });
  await until('two tries', async () => (await renewals('again')).length > 1, WAIT);
  assert.equal((await call('again')).user, 'alice', 'it is good until its end');
  await oauth.set(`again.${AUTH}`, {});
  const tries = (await renewals('again')).length;
  await until('another', async () => (await renewals('again')).length > tries, WAIT);
  await until('the new one', async () =>
    (await loginOf('again')).expires > Date.now() / 1000 + 600, WAIT);
  assert.equal((await call('again')).user, 'alice');
});

test('one that is refused for good is told as such, and sent no more', async () => {
  await signIn('ends', { life: 62 });
  assert.equal((await call('ends')).user, 'alice');
  // Somebody took it back there.
  for (const { text, issuer } of await oauth.tokens())
    if (issuer === `https://ends.${AUTH}`) await oauth.drop(text);
  await until('it to be refused', async () => (await loginOf('ends')).state === 'refused', WAIT);
  await signedOut('ends');
  const { code, stdout } = await oauth.cordon(host, 'audit', 'tail', '--json');
  assert.equal(code, 0);
  assert.match(stdout, /login/);
  await signIn('ends', {});
  assert.equal((await call('ends')).user, 'alice');
  assert.equal((await loginOf('ends')).state, 'good');
});

test('one without a refresh token ends when it ends', async () => {
  await signIn('ends', { life: 3, refresh: false });
  const row = await loginOf('ends');
  assert.equal(row.renews, false);
  await until('its end', async () => (await loginOf('ends')).state === 'expired', WAIT);
  await signedOut('ends');
});

test('it lies nowhere: database, state, log, audit, arguments, environments', async () => {
  await signIn('kept', {});
  assert.equal((await call('kept')).user, 'alice');
  const places = [host.log.join('\n'),
    ...await Promise.all([['audit', 'tail', '--json'], ['upstream', 'logins', '--json'],
      ['egress', 'log', '--json']].map(async (words) =>
      (await oauth.cordon(host, ...words)).stdout))];
  for (const folder of ['state', 'state/store'])
    for (const entry of readdirSync(join(host.folder, folder), { withFileTypes: true }))
      if (entry.isFile())
        places.push(readFileSync(join(host.folder, folder, entry.name), 'latin1'));
  host.tree.look();
  for (const { pid } of host.tree.seen()) {
    try {
      places.push(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      places.push(readFileSync(`/proc/${pid}/environ`, 'latin1'));
    } catch (error) {
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) throw error;
    }
  }
  const all = places.join('\n');
  assert.match(all, /kept\.acme\.net/, 'control: what it is for is there');
  const secrets = (await oauth.tokens()).map(({ text }) => text);
  for (const { code, code_verifier: verifier } of await oauth.forms(`kept.${AUTH}`))
    secrets.push(code, verifier);
  assert.ok(secrets.length > 4);
  for (const one of secrets.filter(Boolean))
    for (const spelt of [one, Buffer.from(one).toString('base64').slice(0, 24),
      Buffer.from(one).toString('hex')])
      assert.ok(!all.includes(spelt), `${one.slice(0, 12)} is there`);
});

test('a restart, another key, egress that dies: nobody signs in anew', async () => {
  const egress = host.processes('cordon-egress')[0].pid;
  process.kill(egress, 'SIGKILL');
  await until('another egress', () => host.processes('cordon-egress')
    .some(({ pid }) => pid !== egress), WAIT);
  await answers('kept');
  const { code } = await oauth.cordon(host, 'secret', 'rotate');
  assert.equal(code, 0);
  const { folder } = host;
  process.kill(host.child.pid, 'SIGTERM');
  await host.ended;
  host.tree.stop();
  host = await Host.start({ folder, servers: [join(folder, 'servers')] });
  assert.equal((await loginOf('kept')).state, 'good');
  await answers('kept');
  assert.deepEqual(await renewals('kept'), []);
  assert.match(host.log.join('\n'), /sealed/, 'with the new key');
});

test('a server that is elsewhere now does not get it', async () => {
  await oauth.add('moved.acme.net', 'resource', '45.83.8.60', { issuers: [`https://kept.${AUTH}`] });
  const added = await oauth.api(host, 'POST', '/servers',
    { name: 'moves', url: 'https://kept.acme.net/mcp' });
  await oauth.api(host, 'POST', '/servers/moves/approve', { digest: added.digest });
  const done = await oauth.signIn(host, 'moves');
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await call('moves')).user, 'alice');
  const again = await oauth.api(host, 'POST', '/servers',
    { name: 'moves', url: 'https://moved.acme.net/mcp' });
  await oauth.api(host, 'POST', '/servers/moves/approve', { digest: again.digest });
  assert.equal((await loginOf('moves')).state, 'elsewhere');
  await oauth.forget();
  await assert.rejects(call('moves'), /cordon upstream login moves/);
  for (const { headers } of await oauth.seen({ host: 'moved.acme.net' }))
    assert.equal(headers.authorization, undefined);
});
