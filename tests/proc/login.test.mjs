// SPDX-License-Identifier: Apache-2.0

// cordon upstream login, against a host that is none: what it asks, what it
// shows of what strangers wrote, and to whom it listens while it waits.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openKey, prove, publicOf } from '../lib/begin.mjs';
import { cordon, patience } from '../lib/paths.mjs';
import { FakeHost, sendJson } from './fake-host.mjs';

const STATE = 'the-state-0123456789';
const KEYS = Buffer.alloc(32, 7).toString('base64');
const PUBLIC = publicOf(KEYS);
const asked = { issuer: 'https://auth.acme.net', resource: 'https://mcp.acme.net/mcp',
  scope: 'files:read', registration: 'dynamic', expires_in: 600 };
const row = { id: 7, tenant: 'local', server: 'files', issuer: asked.issuer,
  resource: asked.resource, scope: asked.scope, state: 'good', set: 1,
  expires: Math.floor(Date.now() / 1000) + 5400, renews: true };

const back = (uri) => `redirect_uri=${encodeURIComponent(uri)}&state=${STATE}`;
const urlOf = (uri) => `https://auth.acme.net/authorize?client_id=c&${back(uri)}`;

// What a store answers, proven; `over` is what it found.
function offer(request, over = {}, keys = KEYS) {
  const body = JSON.parse(request.body);
  const said = { url: urlOf(body.redirect_uri), ...asked, ...over };
  return { ...said, proof: prove(openKey(keys, body), said) };
}

// A host that lets everybody sign in; `over` answers in its place.
const start = async (t, over = {}) => {
  const host = await FakeHost.start(t, (request, response) => answer(over, request, response));
  writeFileSync(join(host.state, 'vault.pub'), `${PUBLIC}\n`);
  return host;
};

function answer(over, request, response) {
  const key = `${request.method} ${request.url}`;
  const answers = {
    'POST /admin/logins': (one) => [200, offer(one)],
    'GET /admin/secrets': () => [200, { tenant: 'local', public_key: PUBLIC, secrets: [] }],
    'POST /admin/logins/finish': () => [201, row],
    'GET /admin/tokens': () => [200, { tokens: [{ id: 4, name: 'ci' }] }],
    'GET /admin/logins': () => [200, { logins: [row] }],
    ...over };
  const [status, value] = answers[key]?.(request) ?? [404, { error: `no ${key}` }];
  sendJson(response, status, value);
}

const bodyOf = (host, url) => JSON.parse(host.requests.find((one) =>
  one.method === 'POST' && one.url === url).body);
// Without its key, which is another each time.
const begunWith = (host) => {
  const { key, ...rest } = bodyOf(host, '/admin/logins');
  assert.ok(Buffer.from(key, 'base64').length > 100);
  return rest;
};

const said = (child, pattern) => new Promise((done, fail) => {
  const look = () => {
    const found = pattern.exec(child.text.stdout + child.text.stderr);
    if (found) done(found);
  };
  child.stdout.on('data', look);
  child.stderr.on('data', look);
  child.on('close', () =>
    fail(new Error(`it ended: ${child.text.stdout}${child.text.stderr}`)));
  look();
});

// Its redirect URI, as soon as it waits there.
const waits = async (child) => (await said(child, /Waiting for the browser at (\S+)/))[1];

// A request as bytes; all that comes back.
const speak = (uri, text) => new Promise((done, fail) => {
  const { port } = new URL(uri);
  const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(text));
  let heard = '';
  socket.on('data', (bytes) => { heard += bytes; });
  socket.on('error', fail);
  socket.on('close', () => done(heard));
});

const browse = (url, { method = 'GET', headers } = {}) => new Promise((done, fail) => {
  const request = http.request(url, { method, headers, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (more) => { text += more; });
    response.on('end', () =>
      done({ status: response.statusCode, headers: response.headers, text }));
  });
  request.on('error', fail);
  request.end();
});

test('shows who asks and where, waits for the browser, and finishes', async (t) => {
  const host = await start(t);
  const child = host.spawn('upstream', 'login', 'files', '--scope', 'files:read');
  const uri = await waits(child);
  assert.match(uri, /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  for (const line of ['Signing in to files:', '  issuer    https://auth.acme.net',
    '  resource  https://mcp.acme.net/mcp', '  scope     files:read', urlOf(uri)])
    assert.ok(child.text.stdout.split('\n').includes(line), line);
  assert.deepEqual(begunWith(host), { server: 'files', redirect_uri: uri, scope: 'files:read' });

  const page = await browse(
    `${uri}?code=the%2Fcode&state=${STATE}&iss=https%3A%2F%2Fauth.acme.net`);
  assert.equal(page.status, 200);
  assert.equal(page.text, 'Signed in. This window can be closed.\n');
  assert.equal(page.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(page.headers['referrer-policy'], 'no-referrer');
  assert.equal(await child.ended, 0, child.text.stderr);
  assert.deepEqual(bodyOf(host, '/admin/logins/finish'),
    { state: STATE, code: 'the/code', iss: 'https://auth.acme.net' });
  assert.match(child.text.stdout,
    /\nfiles is signed in; its token expires in 1h and is renewed before\.\n$/);
  assert.doesNotMatch(child.text.stdout + child.text.stderr, /the\/code/);
  await assert.rejects(browse(uri), { code: 'ECONNREFUSED' });
});

test('what else connects is answered, and does not end the waiting', async (t) => {
  const host = await start(t);
  const child = host.spawn('upstream', 'login', 'files');
  const uri = await waits(child);
  const { host: own, origin } = new URL(uri);
  const good = `code=c&state=${STATE}`;
  const silent = net.connect(new URL(uri).port, '127.0.0.1');
  await once(silent, 'connect');
  for (const [status, url, more] of [
    [404, `${origin}/favicon.ico`], [404, `${origin}/?${good}`], [404, `${uri}/?${good}`],
    [405, `${uri}?${good}`, { method: 'POST' }],
    [400, `${uri}?code=c&state=another`], [400, `${uri}?code=c`], [400, uri],
    [400, `${uri}?${good}&code=d`], [400, `${uri}?state=${STATE}`],
    [400, `${uri}?${good}`, { headers: { host: 'evil.acme.net' } }],
    [400, `${uri}?${good}`, { headers: { host: own.replace('127.0.0.1', 'localhost') } }],
    [431, `${uri}?${good}`, { headers: { cookie: 'x'.repeat(9000) } }],
    [431, `${uri}?code=${'c'.repeat(9000)}&state=${STATE}`]]) {
    const answer = await browse(url, more);
    assert.equal(answer.status, status, `${more?.method ?? 'GET'} ${url}`);
  }
  assert.match(await speak(uri, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await speak(uri, `GET /callback?${good} HTTP/1.1\r\n\r\n`),
    /^HTTP\/1\.1 400 /, 'no Host');
  // More silent ones than there is room for.
  const crowd = Array.from({ length: 40 }, () => net.connect(new URL(uri).port, '127.0.0.1'));
  for (const socket of crowd) socket.on('error', () => {});
  await Promise.all(crowd.map((socket) => once(socket, 'connect')));
  assert.equal(host.requests.length, 2, 'the host heard of none');
  assert.equal((await browse(`${uri}?${good}`)).status, 200);
  assert.equal(await child.ended, 0);
  for (const socket of [silent, ...crowd]) socket.destroy();
});

test('a refusal is told here, and in the browser that it failed', async (t) => {
  const host = await start(t, { 'POST /admin/logins/finish': () =>
    [409, { error: 'the authorization server said access_denied: \u001b[2Jno' }] });
  const child = host.spawn('upstream', 'login', 'files');
  const page = await browse(`${await waits(child)}?error=access_denied&state=${STATE}` +
    '&error_description=She+said+no');
  assert.deepEqual([page.status, page.text],
    [400, 'Signing in failed; the command line says why.\n']);
  assert.equal(await child.ended, 1);
  assert.deepEqual(bodyOf(host, '/admin/logins/finish'),
    { state: STATE, error: 'access_denied', error_description: 'She said no' });
  assert.equal(child.text.stderr,
    'cordon upstream: the authorization server said access_denied: \\x1b[2Jno\n');
});

test('nothing of a stranger reaches the terminal raw', async (t) => {
  const evil = '\u001b[2Jgone\u202ednib\u009b31m\r\nfake line\u0007\u200b';
  const host = await start(t, {
    'POST /admin/logins': (one) => [200, offer(one, { issuer: evil, scope: evil,
      resource: evil, registration: 'evil\u001b' })],
    'POST /admin/logins/finish': () => [201, { ...row, issuer: evil }],
    'GET /admin/logins': () => [200, { logins: [{ ...row, issuer: evil, scope: evil,
      state: evil, principal: evil }] }] });
  const child = host.spawn('upstream', 'login', 'files');
  await browse(`${await waits(child)}?code=c&state=${STATE}`);
  assert.equal(await child.ended, 0);
  const { stdout } = await host.run('upstream', 'logins');
  for (const text of [child.text.stdout, stdout]) {
    assert.match(text, /gone/);
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e]/);
    assert.doesNotMatch(text, /^fake line/m);
  }
});

test('an address that a browser should not open is not shown', async (t) => {
  let url = urlOf;
  const host = await start(t, { 'POST /admin/logins': (one) =>
    [200, offer(one, { url: url(JSON.parse(one.body).redirect_uri) })] });
  const control = host.spawn('upstream', 'login', 'files');
  await waits(control);
  control.kill('SIGKILL');
  for (url of [() => '', (uri) => `http://auth.acme.net/?${back(uri)}`,
    (uri) => `javascript:alert(1)?${back(uri)}`, (uri) => `file:///etc/passwd?${back(uri)}`,
    () => 'https://auth.acme.net/', (uri) => `https://auth.acme.net/?${back(uri).replace(STATE, '')}`,
    (uri) => `https://auth.acme.net/?${back(uri)}&state=other`,
    (uri) => `https://auth.acme.net/\u001b[2J?${back(uri)}`,
    (uri) => `https://auth.acme.net/$(reboot) ?${back(uri)}`,
    (uri) => `https://user@auth.acme.net/?${back(uri)}`,
    // Back to somebody else, or to two.
    () => `https://auth.acme.net/?state=${STATE}`,
    () => `https://auth.acme.net/?${back('http://127.0.0.1:1/callback')}`,
    (uri) => `https://auth.acme.net/?${back(`${uri}/`)}`,
    (uri) => `https://auth.acme.net/?${back(uri)}&redirect_uri=https://evil.acme.net`]) {
    const { code, stdout, stderr } = await host.run('upstream', 'login', 'files');
    assert.deepEqual([code, stdout, stderr],
      [70, '', 'cordon upstream: the host named no address to sign in at\n'], String(url));
  }
});

test('nothing is shown that the store has not proven', async (t) => {
  const evil = 'https://evil.acme.net/authorize';
  const turned = (text, i) =>
    text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ 1) + text.slice(i + 1);
  const changes = {
    'a challenge of its own': (one) => ({ ...one, url: `${one.url}&code_challenge=mine` }),
    'a byte of the url': (one) => ({ ...one, url: turned(one.url, 30) }),
    'the last byte of the url': (one) => ({ ...one, url: turned(one.url, one.url.length - 1) }),
    'another page': (one) => ({ ...one, url: evil + new URL(one.url).search }),
    'another issuer': (one) => ({ ...one, issuer: 'https://evil.acme.net' }),
    'another resource': (one) => ({ ...one, resource: 'https://evil.acme.net/mcp' }),
    'another scope': (one) => ({ ...one, scope: '' }),
    'another registration': (one) => ({ ...one, registration: 'given' }),
    'a NUL': (one) => ({ ...one, scope: `${one.scope}\u0000 evil` }),
    'texts with their ends moved': (one) => ({ ...one, issuer: `${one.issuer}h`,
      resource: one.resource.slice(1) }),
    'no proof': ({ proof, ...one }) => one,
    'an empty proof': (one) => ({ ...one, proof: '' }),
    'half of one': (one) => ({ ...one, proof: one.proof.slice(0, 20) }),
    'one that is no text': (one) => ({ ...one, proof: 5 }),
    'a byte of it': (one) => ({ ...one, proof: turned(one.proof, 3) }),
    'one with another key': (one) => ({ ...one, proof: prove(Buffer.alloc(32, 1), one) }),
    'one with a key of zeros': (one) => ({ ...one, proof: prove(Buffer.alloc(32), one) }),
    'an earlier answer': (one) => earlier ?? one,
    'no object': () => [],
  };
  let change = (one) => one, earlier;
  const host = await start(t, { 'POST /admin/logins': (one) => [200, change(offer(one))] });
  const control = host.spawn('upstream', 'login', 'files');
  await waits(control);
  control.kill('SIGKILL');
  const { redirect_uri: uri } = bodyOf(host, '/admin/logins');
  // The same port, so that the key alone is another.
  earlier = offer(host.requests.at(-1));
  await control.ended;
  const { port } = new URL(uri);
  for (const [name, one] of Object.entries(changes)) {
    change = one;
    for (const words of [[], ['--json']]) {
      const { code, stdout, stderr } =
        await host.run('upstream', 'login', 'files', '--port', port, ...words);
      assert.deepEqual([code, stdout], [70, ''], name);
      assert.match(stderr, /^cordon upstream: the host's store has not proven .* Restart the host.*\n$/,
        name);
      assert.doesNotMatch(stderr, /acme/, name);
    }
  }
  // What is there twice, or beside it, is not in what a program reads.
  change = (one) => `${JSON.stringify(one).slice(0, -1)},"url":"${evil}","page":"${evil}"}`;
  const child = host.spawn('upstream', 'login', 'files', '--json');
  const [line] = await said(child, /^.*\n|not proven/);
  assert.doesNotMatch(line, /evil/);
});

test('the key is sealed to the store, for what is asked for; else nobody is asked', async (t) => {
  const host = await start(t);
  const words = ['upstream', 'login', 'files', '--principal', 'ci', '--scope', 's',
    '--issuer', 'https://auth.acme.net', '--client-id', 'me'];
  const keys = [];
  for (let i = 0; i < 2; i++) {
    const child = host.spawn(...words);
    await waits(child);
    child.kill('SIGKILL');
    const body = JSON.parse(host.requests.findLast(({ url }) => url === '/admin/logins').body);
    const key = openKey(KEYS, body);
    assert.equal(key.length, 32);
    keys.push(key.toString('hex'));
    // Whoever relays it can ask for nothing else with it.
    for (const more of [{ server: 'other' }, { redirect_uri: 'http://127.0.0.1:1/callback' },
      { scope: 't' }, { scope: undefined }, { issuer: 'https://evil.acme.net' },
      { client_id: 'you' }, { principal: 5 }, { principal: undefined }])
      assert.throws(() => openKey(KEYS, { ...body, ...more }), /the letter/, JSON.stringify(more));
    assert.throws(() => openKey(KEYS, body, 'other'), /the letter/);
  }
  assert.notEqual(keys[0], keys[1]);

  const count = host.requests.length;
  writeFileSync(join(host.state, 'vault.pub'), `${Buffer.alloc(32, 9).toString('base64')}\n`);
  const other = await host.run('upstream', 'login', 'files');
  assert.deepEqual([other.code, other.stdout], [2, '']);
  assert.match(other.stderr, /the host says another public key than STATE\/vault\.pub: nothing was sent/);
  // Of another machine's host there is no folder here.
  const tcp = http.createServer((request, response) => answer({}, request, response))
    .listen(0, '127.0.0.1');
  t.after(() => tcp.close());
  await once(tcp, 'listening');
  const away = await host.run('upstream', 'login', 'files',
    '--url', `http://127.0.0.1:${tcp.address().port}`);
  assert.deepEqual([away.code, away.stdout], [2, '']);
  assert.match(away.stderr, /whose key the host says is not known here: give it with --public-key/);
  assert.ok(host.requests.slice(count).every(({ url }) => url === '/admin/secrets'));
});

test('a token, a client and a port of one\'s own', async (t) => {
  const host = await start(t);
  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  const words = ['upstream', 'login', 'files', '--port', String(port)];
  const taken = await host.run(...words);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /127\.0\.0\.1:\d+ cannot be listened on: .*--port/);
  assert.equal(host.requests.length, 0);
  free.close();
  await once(free, 'close');
  // Twice at once: the port of the first is free again.
  for (let i = 0; i < 2; i++) {
    const child = host.spawn(...words, '--principal', 'ci', '--issuer',
      'https://auth.acme.net', '--client-id', 'me');
    const uri = await waits(child);
    assert.equal(uri, `http://127.0.0.1:${port}/callback`);
    await browse(`${uri}?code=c&state=${STATE}`);
    assert.equal(await child.ended, 0, child.text.stderr);
  }
  assert.deepEqual(begunWith(host), { server: 'files',
    redirect_uri: `http://127.0.0.1:${port}/callback`, issuer: 'https://auth.acme.net',
    client_id: 'me', principal: 4 });
  for (const words of [['--port', '80'], ['--port', '65536'], ['--client-secret'],
    ['--client-secret', '--client-id', 'c'], ['--client-id', 'c'],
    ['--client-id', 'https://client.acme.net/cordon.json'],
    ['--client-secret', '--issuer', 'https://auth.acme.net'], ['--principal', 'nobody']]) {
    const { code } = await host.run('upstream', 'login', 'files', ...words);
    assert.equal(code, 2, words.join(' '));
  }
});

test('a client\'s secret goes sealed, to the key of this machine alone', async (t) => {
  let told = PUBLIC;
  const host = await start(t, { 'GET /admin/secrets': () =>
    [200, { tenant: 'local', public_key: told, secrets: [] }] });
  const words = ['upstream', 'login', 'files', '--issuer', 'https://auth.acme.net',
    '--client-id', 'me', '--client-secret'];
  const child = host.spawn(...words);
  child.stdin.end('hush-hush-0123\n');
  await browse(`${await waits(child)}?code=c&state=${STATE}`);
  assert.equal(await child.ended, 0, child.text.stderr);
  const body = bodyOf(host, '/admin/logins');
  assert.ok(Buffer.from(body.sealed, 'base64').length > 100);
  const all = JSON.stringify(host.requests);
  assert.ok(!all.includes('hush') && !all.includes(Buffer.from('hush-hush').toString('base64')));

  const count = host.requests.length;
  for (const [input, pattern] of [['\n', /is empty/], ['a\u0001b', /no visible ASCII/]]) {
    const bad = host.spawn(...words);
    bad.stdin.end(input);
    assert.equal(await bad.ended, 2);
    assert.match(bad.text.stderr, pattern);
  }
  told = Buffer.alloc(32, 9).toString('base64');
  const other = host.spawn(...words);
  other.stdin.end('hush-hush-0123\n');
  assert.equal(await other.ended, 2);
  assert.match(other.text.stderr, /another public key/);
  assert.ok(host.requests.slice(count).every(({ url }) => url === '/admin/secrets'));
});

test('over ssh the address is pasted', async (t) => {
  const host = await start(t);
  const child = spawn('python3', [fileURLToPath(new URL('in-terminal.py', import.meta.url)),
    cordon, 'upstream', 'login', 'files'],
  { env: { ...process.env, CORDON_STATE: host.state } });
  host.children.push(child);
  child.text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => { child.text[name] += text; });
  const ended = once(child, 'close');
  const uri = await waits(child);
  await said(child, /paste the address/);
  for (const [line, pattern] of [['yes', /not the address that the browser ended at/],
    [`${uri}?code=c&state=other`, /not of this sign-in/],
    [`http://evil.acme.net/callback?code=c&state=${STATE}`, /ended at[^]*ended at/]]) {
    child.stdin.write(`${line}\n`);
    await said(child, pattern);
  }
  child.stdin.write(`  ${uri}?code=pasted&state=${STATE}\n`);
  await said(child, /files is signed in/);
  await ended;
  assert.equal(bodyOf(host, '/admin/logins/finish').code, 'pasted');
});

test('nobody comes: it ends when the address is good no more', async (t) => {
  const host = await start(t, { 'POST /admin/logins': (one) =>
    [200, offer(one, { expires_in: 1 })] });
  const before = Date.now();
  const { code, stderr } = await host.run('upstream', 'login', 'files');
  assert.equal(code, 1);
  assert.match(stderr, /nobody has signed in in that time/);
  assert.ok(Date.now() - before >= 900 && Date.now() - before < 60_000 * patience);
});

test('--json is what the host says, a line each', async (t) => {
  const host = await start(t);
  const child = host.spawn('upstream', 'login', 'files', '--json');
  const [first] = await said(child, /^.*\n/);
  const { redirect_uri: uri } = bodyOf(host, '/admin/logins');
  assert.deepEqual(JSON.parse(first), { url: urlOf(uri), ...asked });
  await browse(`${uri}?code=c&state=${STATE}`);
  assert.equal(await child.ended, 0);
  assert.deepEqual(JSON.parse(child.text.stdout.split('\n')[1]), row);
});

test('a host that refuses to begin is told, and nobody is waited for', async (t) => {
  const host = await start(t, { 'POST /admin/logins': () =>
    [409, { error: 'the server answered 200 without asking for a sign-in' }] });
  assert.deepEqual(await host.run('upstream', 'login', 'files'), { code: 1, stdout: '',
    stderr: 'cordon upstream: the server answered 200 without asking for a sign-in\n' });
});

test('logins are listed, and ended one by one', async (t) => {
  const rows = [row, { ...row, id: 8, principal: 4 }, { ...row, id: 9, server: 'other',
    principal: 4 }, { ...row, id: 10, tenant: 'acme' }];
  const gone = [];
  const drop = Object.fromEntries(rows.map(({ id }) =>
    [`DELETE /admin/logins/${id}`, () => {
      gone.push(id);
      return [204, ''];
    }]));
  let tenant = 'local';
  const host = await start(t,
    { ...drop, 'GET /admin/logins': () => [200, { tenant, logins: rows }] });
  const { stdout } = await host.run('upstream', 'logins');
  assert.match(stdout, /^SERVER +TENANT +PRINCIPAL +ISSUER +SCOPE +STATE +SET +EXPIRES +RENEWS\n/);
  assert.match(stdout, /\nfiles +local +4 +https:\/\/auth\.acme\.net +files:read +good +.* in 1h +yes\n/);
  const listed = await host.run('upstream', 'logins', '--json');
  assert.deepEqual(JSON.parse(listed.stdout), { tenant, logins: rows });

  assert.deepEqual(await host.run('upstream', 'logout', 'files'),
    { code: 0, stdout: 'files is signed out.\n', stderr: '' });
  assert.deepEqual(gone, [7]);
  assert.equal((await host.run('upstream', 'logout', 'files', '--principal', 'ci')).code, 0);
  assert.deepEqual(gone, [7, 8]);
  const alone = await host.run('upstream', 'logout', 'other');
  assert.deepEqual([alone.code, alone.stderr], [1,
    'cordon upstream: \'other\' is signed in to for single tokens only: say --principal\n']);
  const none = await host.run('upstream', 'logout', 'nothing');
  assert.equal(none.code, 1);
  assert.match(none.stderr, /nobody is signed in to 'nothing'/);
  assert.deepEqual(gone, [7, 8]);
  // The tenant's own admin need not say which it is.
  tenant = 'acme';
  assert.equal((await host.run('upstream', 'logout', 'files')).code, 0);
  assert.deepEqual(gone, [7, 8, 10]);
});
