// SPDX-License-Identifier: Apache-2.0

// Promise: whoever a remote server says signs people in, it gets nothing that is
// not its own, is sent nowhere inside, and gives nobody an address to open that
// is more than an address (CVE-2025-6514). Each attack is beside the same thing
// without its sting, which goes through.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, valueOf } from '../lib/mcp.mjs';
import { Oauth } from '../lib/oauth.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const AUTH = 'auth.acme.net';
const ISSUER = `https://${AUTH}`;
const MCP = 'mcp.acme.net';
const REDIRECT = 'http://127.0.0.1:7391/callback';
const METADATA = '/.well-known/oauth-authorization-server';
const RESOURCE = '/.well-known/oauth-protected-resource/mcp';

let world;
let oauth;
let host;

// Honest documents, wherever they are.
const resourceOf = (issuer) => JSON.stringify({ resource: `https://${MCP}/mcp`,
  authorization_servers: [issuer] });
const issuerOf = (issuer) => JSON.stringify({ issuer,
  authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token`,
  registration_endpoint: `${ISSUER}/register`, response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'] });

before(async () => {
  world = await World.start();
  oauth = await Oauth.start(world);
  await oauth.add(AUTH, 'authority', '45.83.8.1');
  await oauth.add(MCP, 'resource', '45.83.8.2', { issuers: [ISSUER] });
  // The same pages, outside and inside.
  for (const [name, address] of [['outer.acme.net', '45.83.8.3'], ['inner.acme.net', '10.0.0.5']])
    await oauth.add(name, 'page', address, { pages: {
      '/prm': { body: resourceOf(ISSUER) },
      [METADATA]: { body: issuerOf(`https://${name}`) },
      '/register': { status: 201, body: '{"client_id":"c","redirect_uris":["x"]}' },
      '/token': { body: '{"access_token":"a-token-of-theirs","token_type":"Bearer"}' } } });
  await oauth.add('evil.acme.net', 'page', '45.83.8.4');
  host = await Host.start({ config: { ...world.config(),
    servers: { files: { url: `https://${MCP}/mcp`,
      network: { requestsPerMinute: 1_000_000 } } } } });
});
after(async () => {
  const ended = await host?.stop();
  await world?.stop();
  assert.deepEqual([ended?.exit, ended?.left], [{ code: 0, signal: null }, []]);
});

async function stage({ auth = {}, mcp = {} } = {}) {
  await oauth.set(AUTH, auth);
  await oauth.set(MCP, { issuers: [ISSUER], ...mcp });
  await oauth.forget();
}

const begin = (more = {}) => oauth.begin(host,
  { server: 'files', redirect_uri: REDIRECT, ...more });
// The person goes there; what the browser would bring back.
const visit = async (url, who = {}) => Object.fromEntries(new URL((await oauth.browse(url,
  { ...who, until: (at) => at.startsWith(REDIRECT) })).location).searchParams);
const finish = (back) => oauth.api(host, 'POST', '/logins/finish', back);
const logins = async () => (await oauth.api(host, 'GET', '/logins')).logins;

// It is refused with a sentence, which no terminal obeys.
function assertRefused(answer, what) {
  assert.ok(answer.status >= 400 && answer.status < 600, `${what}: ${JSON.stringify(answer)}`);
  assert.ok(answer.error.length > 10, what);
  assert.doesNotMatch(answer.error, /are spent|try again/, `${what}: not for what it is`);
  assert.doesNotMatch(answer.error, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/, what);
  assert.equal(answer.url, undefined);
}
const untouched = async (...names) => {
  for (const name of names) assert.deepEqual(await oauth.seen({ host: name }), [], name);
};

async function honest(what = 'control') {
  await stage();
  const begun = await begin();
  assert.equal(begun.status, 200, `${what}: ${begun.error}`);
  const done = await finish(await visit(begun.url));
  assert.equal(done.status, 201, `${what}: ${done.error}`);
  assert.equal((await oauth.api(host, 'DELETE', `/logins/${done.id}`)).status, 204);
  await until('its tokens to be revoked', async () =>
    (await oauth.forms(AUTH, '/revoke')).length > 0, 20_000 * patience);
}

test('control: without a sting all of it goes through', () => honest());

const addresses = ['http://auth.acme.net/x', 'javascript:alert(1)', 'file:///bin/sh',
  'data:text/html,x', 'a:$(touch${IFS}/x)', 'vscode://x/y', '\\\\auth.acme.net\\x',
  'https://auth.acme.net/x y', 'https://user:pw@auth.acme.net/x', 'https://@auth.acme.net/x',
  'https://auth.acme.net\\@evil.acme.net/x', 'https://auth.acme.net/\u001b[2J',
  'https://auth.acme.net/x\r\nX: y', 'https://auth.acme.net:0/x', 'https://auth.acme.net:99999/x',
  'https://127.0.0.1/x', 'https://0x7f000001/x', 'https://2130706433/x', 'https://[::1]/x',
  'https://[::ffff:10.0.0.5]/x', 'https://10.0.0.5/x', 'https://169.254.169.254/x',
  'https://localhost/x', 'https://metadata.google.internal/x', 'https://printer.local/x',
  'https:///x', 'https://', '//auth.acme.net/x', '/x', '', ' https://auth.acme.net/x',
  'https://auth.acme.net/x#y', `https://auth.acme.net/${'x'.repeat(4000)}`, 5, true, {},
  ['https://auth.acme.net/x']];
for (const member of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint',
  'revocation_endpoint']) {
  test(`${member}: what is no address outside is refused`, async () => {
    for (const address of addresses) {
      await stage({ auth: { metadata: { [member]: address } } });
      assertRefused(await begin(), `${member} ${JSON.stringify(address)}`);
      assert.deepEqual(await oauth.seen({ host: AUTH, path: '/register' }), [],
        'nothing of the document was used');
    }
    await honest();
  });
}

test('an address to open that a shell would make something of', async () => {
  for (const address of [`${ISSUER}/$(calc.exe)`, `${ISSUER}/\`id\``, `${ISSUER}/';id;'`,
    `${ISSUER}/"|id`, `${ISSUER}/a&&id`, `${ISSUER}/%0aid`]) {
    await stage({ auth: { metadata: { authorization_endpoint: address } } });
    const { status, url, error } = await begin();
    if (status === 200)
      assert.doesNotMatch(url.slice(0, url.indexOf('?')), /[$`'"|<>;\\\s]/, url);
    else assert.ok(error.length > 10);
  }
});

const documents = {
  'another issuer': { issuer: 'https://evil.acme.net' },
  'an issuer below it': { issuer: `${ISSUER}/tenant` },
  'no issuer': { issuer: null },
  'no S256': { code_challenge_methods_supported: ['plain'] },
  'no word of PKCE': { code_challenge_methods_supported: null },
  'no code flow': { response_types_supported: ['token'] },
  'no address to open': { authorization_endpoint: null },
  'no token endpoint': { token_endpoint: null },
  'methods that are a text': { code_challenge_methods_supported: 'S256' },
};
test('metadata that is another\'s, or too weak, is refused', async () => {
  for (const [what, metadata] of Object.entries(documents)) {
    await stage({ auth: { metadata } });
    assertRefused(await begin(), what);
    assert.deepEqual(await oauth.seen({ host: AUTH, path: '/register' }), [], what);
  }
  await honest();
});

const pages = {
  'no JSON': { body: '<html>\u001b[2J' }, 'a list': { body: '[]' }, 'nothing': { body: '' },
  'a member twice': { body: issuerOf(ISSUER).replace('{', '{"issuer":"https://evil.acme.net",') },
  'a page that is too large': { body: issuerOf(ISSUER), pad: 80 << 10 },
  'deep': { body: `{"x":${'['.repeat(2000)}${']'.repeat(2000)}}` },
  'a redirect': { status: 302, headers: { location: 'https://outer.acme.net/prm' }, body: '' },
  'a redirect inside': { status: 307, headers: { location: 'https://inner.acme.net/prm' },
    body: '' },
  'an error': { status: 500, body: issuerOf(ISSUER) },
};
test('documents that are none are refused, wherever they are', async () => {
  await stage({ auth: { pages: { [METADATA]: { body: issuerOf(ISSUER), pad: 20 << 10 } } } });
  assert.equal((await begin()).status, 200, 'control');
  for (const [what, page] of Object.entries(pages)) {
    await stage({ auth: { pages: { [METADATA]: page } } });
    assertRefused(await begin(), `issuer: ${what}`);
    await stage({ auth: { pages: { '/register': page } } });
    assertRefused(await begin(), `registration: ${what}`);
    await untouched('inner.acme.net', 'outer.acme.net');
  }
  // Of the server's own metadata: the one that is named must be there.
  for (const [what, page] of Object.entries(pages)) {
    await stage({ mcp: { pages: { [RESOURCE]: page } } });
    assertRefused(await begin(), `resource: ${what}`);
    await untouched('inner.acme.net', 'outer.acme.net');
  }
});

test('a server that says that it is another gets no token for that one', async () => {
  for (const resource of ['https://outer.acme.net/mcp', `https://${MCP}/other`,
    `https://${MCP}/mcp/below`, `https://${MCP}:8443/mcp`, `http://${MCP}/mcp`,
    `https://${MCP}.evil.acme.net/mcp`, 'https://acme.net', '', null, 5]) {
    await stage({ mcp: { metadata: { resource } } });
    assertRefused(await begin(), JSON.stringify(resource));
  }
  await stage({ mcp: { metadata: { resource: `https://${MCP}` } } });
  assert.equal((await begin()).status, 200, 'control: its own origin');
});

test('who is named to sign people in is outside, and is an issuer', async () => {
  for (const issuers of [[], null, 'x', [5], ['http://auth.acme.net'], ['https://10.0.0.5'],
    ['https://169.254.169.254/'], ['https://localhost'], ['javascript:x'], [`${ISSUER}?x`],
    [`${ISSUER}#x`], ['https://u@auth.acme.net'], Array(20).fill(ISSUER)]) {
    await stage({ mcp: { metadata: { authorization_servers: issuers } } });
    assertRefused(await begin(), JSON.stringify(issuers));
    assert.deepEqual(await oauth.seen({ host: AUTH }), [], JSON.stringify(issuers));
  }
  // A person who says the issuer is not led to another one.
  await stage();
  assertRefused(await begin({ issuer: 'https://evil.acme.net' }), 'not one of its own');
  await untouched('evil.acme.net');
});

test('a name that leads inside is asked for nothing', async () => {
  for (const path of ['/prm', METADATA, '/register', '/token']) {
    const { stdout } = await world.run(['curl', '-s', `https://inner.acme.net${path}`]);
    assert.match(stdout, /\{/, 'control: it is there');
  }
  const challenge = (name) => `Bearer resource_metadata="https://${name}.acme.net/prm"`;
  const ways = {
    'its metadata': (name) => ({ mcp: { challenge: challenge(name) } }),
    'its issuer': (name) => ({ mcp: { issuers: [`https://${name}.acme.net`] } }),
    'a registration': (name) => ({ auth: { metadata:
      { registration_endpoint: `https://${name}.acme.net/register` } } }),
  };
  for (const [what, way] of Object.entries(ways)) {
    await stage(way('outer'));
    const outer = await begin();
    assert.ok((await oauth.seen({ host: 'outer.acme.net' })).length > 0,
      `control: ${what}: ${outer.error}`);
    await stage(way('inner'));
    await world.forget();
    assertRefused(await begin(), what);
    assert.deepEqual((await world.connections()).filter(({ address }) =>
      address === '10.0.0.5'), [], `${what}: it was dialled`);
  }
  for (const [name, status] of [['outer', 201], ['inner', 0]]) {
    await stage({ auth: { metadata: { token_endpoint: `https://${name}.acme.net/token` } } });
    const begun = await begin();
    assert.equal(begun.status, 200, begun.error);
    const back = await visit(begun.url);
    await world.forget();
    const done = await finish(back);
    if (status === 201) {
      assert.equal(done.status, 201, done.error);
      await oauth.api(host, 'DELETE', `/logins/${done.id}`);
    } else {
      assertRefused(done, 'token endpoint');
      assert.deepEqual((await world.connections()).filter(({ address }) =>
        address === '10.0.0.5'), []);
    }
  }
});

test('an address of the metadata in a challenge is https, and outside', async () => {
  for (const address of ['http://mcp.acme.net/prm', 'https://10.0.0.5/prm', 'file:///etc/passwd',
    'https://localhost/prm', 'https://u:p@mcp.acme.net/prm', 'nonsense', '']) {
    await stage({ mcp: { challenge: `Bearer resource_metadata="${address}"` } });
    assertRefused(await begin(), address);
    assert.deepEqual(await oauth.seen({ host: AUTH }), [], address);
  }
});

test('a code goes to nobody but who it came from', async () => {
  const mixes = { 'another\'s iss': { iss: 'https://evil.acme.net' },
    'no iss, though it says that it sends it': { iss: null },
    'an iss with a slash more': { iss: `${ISSUER}/` } };
  for (const [what, auth] of Object.entries(mixes)) {
    await stage({ auth });
    const { url } = await begin();
    assertRefused(await finish(await visit(url)), what);
    assert.deepEqual(await oauth.forms(AUTH), [], `${what}: the code was sent`);
  }
  // A state is of one sign-in, and good once.
  await stage();
  const [first, second] = [await begin(), await begin()];
  const back = await visit(first.url);
  for (const state of ['', 'x', undefined, `${back.state}x`, back.state.toUpperCase()])
    assertRefused(await finish({ ...back, state }), String(state));
  // The code of one in the place of the other's: its verifier is not that.
  const other = await visit(second.url, { user: 'mallory' });
  assertRefused(await finish({ ...back, code: other.code }), 'a code that was put there');
  assertRefused(await finish(back), 'the state is spent');
  assert.deepEqual(await logins(), []);
});

test('a client of somebody\'s own is not taken to an issuer that a stranger chose', async () => {
  // evil.acme.net signs people in at the honest server, and gets code and verifier.
  const evil = 'https://evil.acme.net';
  const clients = { mine: { redirect_uris: [REDIRECT] } };
  const mixed = async () => {
    await stage({ auth: { clients }, mcp: { issuers: [evil, ISSUER] } });
    await oauth.set('evil.acme.net', { pages: {
      [METADATA]: { body: JSON.stringify({ ...JSON.parse(issuerOf(evil)),
        token_endpoint: `${evil}/token`, registration_endpoint: undefined }) },
      '/token': { body: '{"access_token":"a-token-of-theirs","token_type":"Bearer"}' } } });
  };
  await mixed();
  for (const client_id of ['mine', 'https://client.acme.net/cordon.json'])
    assertRefused(await begin({ client_id }), client_id);
  await untouched('evil.acme.net', AUTH);

  // The control: who says that issuer loses the code, which is good where it is of.
  const lost = await begin({ client_id: 'mine', issuer: evil });
  assert.equal(lost.status, 200, lost.error);
  const back = await visit(lost.url);
  const done = await finish({ state: back.state, code: back.code });
  assert.equal(done.status, 201, done.error);
  const [stolen] = await oauth.forms('evil.acme.net', '/token');
  assert.equal(stolen.code, back.code);
  const redeemed = await world.run(['curl', '-s', '-d', String(new URLSearchParams(stolen)),
    `${ISSUER}/token`]);
  assert.match(redeemed.stdout, /"access_token"/, 'control: the honest server knows that code');
  await oauth.api(host, 'DELETE', `/logins/${done.id}`);

  // The other control: with the issuer that is meant it goes through.
  await mixed();
  const begun = await begin({ client_id: 'mine', issuer: ISSUER });
  assert.equal(begun.status, 200, begun.error);
  const own = await finish(await visit(begun.url));
  assert.equal(own.status, 201, own.error);
  await untouched('evil.acme.net');
  await oauth.api(host, 'DELETE', `/logins/${own.id}`);
  await oauth.set('evil.acme.net', {});
});

test('a token endpoint that sends elsewhere: code and verifier do not go', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await stage({ auth: { pages: { '/token': { status, body: '',
      headers: { location: 'https://evil.acme.net/token' } } } } });
    const begun = await begin();
    assertRefused(await finish(await visit(begun.url)), `${status}`);
    await untouched('evil.acme.net');
  }
  await world.run(['curl', '-sL', '-d', 'code=x', `${ISSUER}/token`]);
  assert.equal((await oauth.seen({ host: 'evil.acme.net' })).length, 1, 'control: curl goes');
});

const tokens = [{ token_type: 'mac' }, { token_type: null }, { token_type: 5 },
  { access_token: null }, { access_token: '' }, { access_token: 5 },
  { access_token: 'a\r\nX-Evil: 1' }, { access_token: 'two words' }, { access_token: 'a\u0000b' },
  { access_token: 'ä' }, { access_token: '\u001b[2J' }, { access_token: 'x'.repeat(9000) },
  { refresh_token: 'a\r\nb' }, { refresh_token: 'x'.repeat(9000) }, { refresh_token: 5 },
  { expires_in: -5 }, { expires_in: 'soon' }, { scope: 'a\u001b[2J' }, { scope: 5 }];
test('tokens that are none are kept nowhere, and are in no sentence', async () => {
  for (const token of tokens) {
    await stage({ auth: { token } });
    const begun = await begin();
    const done = await finish(await visit(begun.url));
    assertRefused(done, JSON.stringify(token).slice(0, 99));
    for (const { text } of await oauth.tokens()) assert.ok(!done.error.includes(text));
    assert.ok(!/xxxxxxxx|X-Evil/.test(done.error), done.error);
  }
  assert.deepEqual(await logins(), []);
  await honest();
});

test('what a refusal says is shown, and moves no cursor', async () => {
  await stage({ auth: { pages: { '/token': { status: 400, body: JSON.stringify({
    error: 'invalid_grant', error_description: 'no\u001b[2J\u202e\r\ncordon: all is well' }) } } } });
  const begun = await begin();
  const answer = await finish(await visit(begun.url));
  assertRefused(answer, 'its words');
  assert.match(answer.error, /invalid_grant/);
  await stage({ auth: { pages: { '/register': { status: 400, body: JSON.stringify({
    error: 'invalid_redirect_uri', error_description: '\u001b]0;x\u0007' }) } } } });
  assertRefused(await begin(), 'of a registration');
});

test('clients that are none', async () => {
  for (const registered of [{ client_id: null }, { client_id: '' }, { client_id: 5 },
    { client_id: 'a\u0000b' }, { client_id: '\u001b[2J' }, { client_id: 'x'.repeat(9000) },
    { client_secret: 'a\r\nb' }, { client_secret: 5 }]) {
    await stage({ auth: { registered } });
    assertRefused(await begin(), JSON.stringify(registered).slice(0, 99));
  }
  await honest();
});

test('a redirect URI that is not this machine\'s is not registered', async () => {
  await stage();
  for (const redirect_uri of ['https://evil.acme.net/callback', 'http://evil.acme.net/callback',
    'http://127.0.0.1/callback', 'http://127.0.0.1:7391@evil.acme.net/', 'http://localhost:7391/x',
    'http://127.0.0.1:7391/callback?x', 'http://127.0.0.1:7391/callback#x', 'javascript:x', '']) {
    const answer = await begin({ redirect_uri });
    assertRefused(answer, redirect_uri);
  }
  assert.deepEqual(await oauth.seen({ host: AUTH }), []);
});

test('a signed-in server that redirects keeps the token to itself', async () => {
  await stage();
  const begun = await begin();
  const done = await finish(await visit(begun.url));
  assert.equal(done.status, 201, done.error);
  const call = async () => valueOf(await callTool(host, 'files', 'whoami', {}));
  assert.equal((await call()).user, 'alice', 'control');
  for (const location of ['https://evil.acme.net/mcp', `http://${MCP}/mcp`,
    `https://${MCP}:8443/mcp`, 'https://inner.acme.net/mcp']) {
    await stage({ mcp: { pages: { '/mcp': { status: 307, headers: { location }, body: '' } } } });
    const answer = await callTool(host, 'files', 'whoami', {}).then(JSON.stringify, String);
    assert.doesNotMatch(answer, /alice/);
    await untouched('evil.acme.net', 'inner.acme.net');
  }
  await stage();
  assert.equal((await call()).user, 'alice');
  await oauth.api(host, 'DELETE', `/logins/${done.id}`);
});

test('many that are begun and never ended take no one\'s room', async () => {
  await stage();
  const begun = [];
  for (let i = 0; i < 20; i++) {
    const one = await begin();
    if (one.status === 200) begun.push(one);
    else assertRefused(one, `${i}`);
  }
  const last = await finish(await visit(begun.at(-1).url));
  assert.equal(last.status, 201, last.error);
  const first = await finish(await visit(begun[0].url));
  assert.ok(begun.length < 20 || first.status >= 400, 'there is a bound');
  for (const { id } of await logins()) await oauth.api(host, 'DELETE', `/logins/${id}`);
});

test('an authorization server that says nothing: there is an end, and a sentence', async () => {
  const before = Date.now();
  await stage({ auth: { pages: { [METADATA]: { hang: true } } } });
  assertRefused(await begin(), 'metadata');
  assert.ok(Date.now() - before < 55_000 * patience);
  // Meanwhile nobody else waits.
  const slow = begin();
  const now = Date.now();
  assert.deepEqual(await logins(), []);
  assert.ok(Date.now() - now < 10_000 * patience);
  await oauth.release();
  assertRefused(await slow, 'it went away');
  await honest();
});
