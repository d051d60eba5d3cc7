// SPDX-License-Identifier: Apache-2.0

// THREATS §4 E: requests that are more than one, or another than was decided
// on. What the origin reads is what the rule was asked about.

import { stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { frame, frames } from '../lib/egress.mjs';

let scene;
let world;
let egress;
let caller;
before(async () => {
  scene = await stage({ rules: ['api.acme.net',
    { rule: 'https://paths.acme.net/v1/', methods: 'GET' },
    { deny: 'denied.acme.net' }, 'https://*.acme.net'] });
  ({ world, egress } = scene);
  await world.site('paths.acme.net', '45.83.7.2');
  await world.site('denied.acme.net', '45.83.7.3');
  await egress.server(3, { rules: [
    { rule: 'https://paths.acme.net/v1/', methods: 'GET' }] });
  caller = await egress.caller(1, { kind: 'link' });
});
after(() => scene.end());

const HOST = 'http://api.acme.net';

test('control: bytes in a header do make a second request', async () => {
  await world.forget();
  const socket = connect(80, '45.83.7.1');
  socket.end('GET /text HTTP/1.1\r\nHost: api.acme.net\r\nX: a\r\n\r\n' +
    'GET /smuggled HTTP/1.1\r\nHost: inner\r\n\r\n');
  await new Promise((done) => socket.resume().on('close', done));
  assert.deepEqual((await world.requests()).map(({ url }) => url),
    ['/text', '/smuggled']);
});

test('no byte of a header\'s name or value ends it', async () => {
  await world.forget();
  const evil = '\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: inner\r\n\r\n';
  const pairs = [['x', `a${evil}`], [`x${evil}`, 'a'], ['x', 'a\r\nEvil: 1'],
    ['x', 'a\nEvil: 1'], ['x', 'a\rEvil: 1'], ['x\r\nEvil', '1'],
    ['x: 1\r\nEvil', '1'], ['x:', '1'], ['x y', '1'], ['x\t', '1'], ['', '1'],
    [' x', '1'], ['x', 'a\x0bb'], ['x', 'a\x7f'], ['x', '\x01'], ['(x)', '1'],
    ['x\xff', '1'], ['x', 'a\r\n evil-fold: 1'], [':authority', 'inner'],
    [':path', '/smuggled'], [':method', 'DELETE'], ['x@y', '1'], ['x,y', '1']];
  for (const [name, value] of pairs) {
    const { end } = await caller.fetch(`${HOST}/echo`,
      { headers: [[name, value]] });
    assert.equal(end, 'BAD', JSON.stringify([name, value]));
  }
  assert.deepEqual(await world.requests(), []);
});

test('no byte of a method or a path ends it', async () => {
  await world.forget();
  for (const method of ['GET /smuggled HTTP/1.1\r\nX:', 'GET ', ' GET', '',
    'G\x01T', 'GET\n', 'CONNECT', 'TRACE', 'TRACK', 'trace'.toUpperCase(),
    'X'.repeat(100), 'GÉT', 'PRI *']) {
    const { end } = await caller.fetch(`${HOST}/echo`, { method });
    assert.ok(['BAD', 'NO_RULE'].includes(end), `${method}: ${end}`);
  }
  for (const path of ['/a b', '/a\r\nX: y', '/a\nX', '/\tx', '/\x7f', '/é',
    '/%', '/%zz', '/a HTTP/1.1', '/a\\b', '/\u0000']) {
    const other = await egress.caller(1);
    const { end } = await other.fetch(HOST + path);
    assert.ok(['BAD', 'STREAM'].includes(end), `${path}: ${end}`);
    await other.close();
  }
  assert.deepEqual(await world.requests(), []);
});

test('a method that is none of the known is sent as it is, if no rule minds',
  async () => {
    const { json } = await caller.fetch(`${HOST}/echo`, { method: 'PROPFIND' });
    assert.equal(json.method, 'PROPFIND');
  });

test('headers of the connection are not the caller\'s', async () => {
  await world.forget();
  const headers = [['Host', 'inner'], ['host', 'inner'],
    ['Transfer-Encoding', 'chunked'], ['transfer-encoding', 'identity'],
    ['Content-Length', '0'], ['Connection', 'x-secret, upgrade'],
    ['Keep-Alive', 'timeout=1'], ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'], ['TE', 'trailers'],
    ['Trailer', 'x'], ['Expect', '100-continue'],
    ['Proxy-Connection', 'keep-alive'], ['Proxy-Authorization', 'Basic eDp5']];
  const { json, error } = await caller.fetch(`${HOST}/echo`, { headers });
  assert.ok(json, error);
  assert.equal(json.names.host, 'api.acme.net');
  for (const name of ['transfer-encoding', 'upgrade', 'http2-settings', 'te',
    'trailer', 'expect', 'keep-alive', 'proxy-connection',
    'proxy-authorization', 'content-length']) {
    assert.equal(json.names[name], undefined, name);
  }
  assert.equal(json.headers.filter((word) => /^host$/i.test(word)).length, 1);
  assert.equal((await world.requests()).length, 1);
});

test('a body ends where it was said, whatever the caller says of it', async () => {
  await world.forget();
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: inner\r\n\r\n';
  const lies = [
    { headers: [['content-length', '5']], body: `hello${smuggled}` },
    { headers: [['content-length', '5'], ['content-length', '60']],
      body: `hello${smuggled}` },
    { headers: [['transfer-encoding', 'chunked']], body: `0\r\n\r\n${smuggled}` },
    { headers: [['content-length', '5'], ['transfer-encoding', 'chunked']],
      body: `0\r\n\r\n${smuggled}` },
    { headers: [['content-length', '-1']], body: smuggled },
    { headers: [['content-length', '+5']], body: `hello${smuggled}` },
    { headers: [['content-length', '5, 5']], body: `hello${smuggled}` },
    { headers: [['content-length', '0x5']], body: `hello${smuggled}` },
    { headers: [['content-length', '99999999999999999999']], body: smuggled },
  ];
  for (const { headers, body } of lies) {
    // Said by hand: open() would add a true length. More than was said ends the
    // stream.
    const other = await egress.caller(1);
    const fetch = other.open(`${HOST}/echo`,
      { method: 'POST', headers, stream: true });
    await fetch.send(Buffer.from(body));
    fetch.sent();
    const result = await fetch.over;
    if (result.end === 'OK') {
      assert.equal(result.status, 200);
      assert.ok(body.startsWith(result.json.body), JSON.stringify(headers));
    }
    await other.close();
  }
  const urls = (await world.requests()).map(({ url }) => url);
  assert.ok(urls.every((url) => url === '/echo'), urls.join());
});

test('a body that is shorter than was said fails at once', async () => {
  const fetch = caller.open(`${HOST}/echo`, { method: 'POST', stream: true,
    headers: { 'content-length': '50' } });
  await fetch.send(Buffer.from('short'));
  fetch.sent();
  assert.equal((await fetch.over).end, 'BAD');
});

test('a body where there is none ends the caller', async () => {
  const other = await egress.caller(1);
  const fetch = other.open(`${HOST}/late?ms=2000`);
  other.write(frame(frames.BODY, fetch.number, 0, Buffer.from('x')));
  await other.closed;
  assert.equal((await fetch.over).end, 'STREAM');
});

test('paths are compared as they are sent', async () => {
  const tool = await egress.caller(3);
  const ok = await tool.fetch('https://paths.acme.net/v1/echo');
  assert.equal(ok.end, 'OK', ok.error); // 404 of the origin, but reached
  await world.forget();
  for (const path of ['/v2/echo', '/v1', '/v1x/echo', '/V1/echo', '/',
    '/v1/../admin', '/v1/%2e%2e/admin', '/v1/.%2e/admin', '/v1/%2E%2E/admin',
    '/v1/..%2fadmin', '/v1/..;/admin', '/v1/..\\admin', '/v1/..%5cadmin',
    '//v1/echo', '/./v1/echo', '/v1/./../../admin', '/%76%31/echo',
    '/v1%2fecho', '/admin?/v1/', '/admin#/v1/', '/admin;/v1/',
    '/v1/%2e%2e%2fadmin', '/v1/%252e%252e/admin', '/v1/..%00/admin']) {
    const { end } = await tool.fetch(`https://paths.acme.net${path}`);
    if (end === 'OK') {
      const [{ url }] = (await world.requests()).slice(-1);
      assert.ok(url.startsWith('/v1/') && !normal(url).startsWith('/admin'),
        `${path} became ${url}`);
    }
  }
});

// As an origin would read it, decoding once.
const normal = (url) => {
  try {
    return new URL(decodeURIComponent(url), 'http://x').pathname;
  } catch {
    return url;
  }
};

test('methods that the rule does not name are refused', async () => {
  const tool = await egress.caller(3);
  await world.forget();
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH',
    'get', 'Get', 'PROPFIND']) {
    const { end, error } = await tool.fetch('https://paths.acme.net/v1/echo',
      { method });
    assert.equal(end, 'NO_RULE', method);
    assert.match(error, /paths\.acme\.net/);
  }
  assert.deepEqual(await world.requests(), []);
  for (const [name, value] of [['x-http-method-override', 'DELETE'],
    ['x-method-override', 'DELETE']]) {
    // The origin's affair: no rule can know. It is sent, and it is a GET.
    const { end } = await tool.fetch('https://paths.acme.net/v1/echo',
      { headers: { [name]: value } });
    assert.equal(end, 'OK');
  }
});

test('ports and schemes that no rule names are refused', async () => {
  const tool = await egress.caller(3);
  await world.forget();
  for (const url of ['http://paths.acme.net/v1/echo',
    'http://paths.acme.net:443/v1/echo', 'https://paths.acme.net:80/v1/echo',
    'https://paths.acme.net:8443/v1/echo', 'https://api.acme.net/v1/',
    'https://45.83.7.2/v1/', 'https://x.paths.acme.net/v1/']) {
    const { end } = await tool.fetch(url);
    assert.equal(end, 'NO_RULE', url);
  }
  assert.deepEqual(await world.connections(), []);
  assert.deepEqual(await world.questions(), []);
});

test('what is denied is denied below a suffix, too', async () => {
  await world.forget();
  const { end } = await caller.fetch('https://denied.acme.net/text');
  assert.equal(end, 'NO_RULE');
  assert.deepEqual(await world.connections(), []);
});

test('certificates: expired, of another name, of nobody known', async () => {
  const bad = { old: { days: -1 }, wrong: { certificate: ['right.acme.net'] },
    unknown: { authority: 'other' } };
  let n = 20;
  for (const [name, more] of Object.entries(bad)) {
    n += 1;
    await world.name(`${name}.acme.net`, { a: [`45.83.7.${n}`] });
    await world.https(`${name}.acme.net`, { address: `45.83.7.${n}`, ...more });
    const { end } = await caller.fetch(`https://${name}.acme.net/text`);
    assert.equal(end, 'TLS', name);
  }
  assert.deepEqual((await world.requests()).filter(({ name }) => bad[name]), []);
});

test('an answer of two lengths, or none, or of junk is no answer', async () => {
  const answers = {
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello',
    junk: 'no http at all\r\n\r\n',
    'http/0.9': 'hello',
    nothing: '',
    'half a head': 'HTTP/1.1 200 OK\r\nX',
    'half a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx',
    'a bad chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx',
    'NUL in a header': 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
    'a status of four': 'HTTP/1.1 2000 OK\r\n\r\n',
    'a status of none': 'HTTP/1.1 OK\r\n\r\n',
    'a switch': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n',
    'HTTP/3.0': 'HTTP/3.0 200 OK\r\n\r\n',
  };
  for (const [name, answer] of Object.entries(answers)) {
    const { end, status } = await caller.fetch(
      `${HOST}/raw?b=${encodeURIComponent(Buffer.from(answer).toString('base64'))}`);
    assert.ok(end !== 'OK', `${name}: ${end} ${status}`);
  }
  const { text } = await caller.fetch(`${HOST}/text`);
  assert.equal(text, 'hello');
});

test('what is left on a connection is nobody\'s answer', async () => {
  // The origin answers twice; the second must not be the next request's.
  const two = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello' +
    'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  const { end } = await caller.fetch(
    `${HOST}/raw?hold&b=${encodeURIComponent(Buffer.from(two).toString('base64'))}`);
  assert.equal(end, 'OK');
  for (let i = 0; i < 5; i += 1) {
    const { text } = await caller.fetch(`${HOST}/text?say=${i}`);
    assert.equal(text, String(i));
  }
});

test('hints of the origin about other places are not taken', async () => {
  await world.tcp('alternative', { address: '45.83.7.9', port: 443, then: 'hold' });
  await world.forget();
  const scheme = 'https://api.acme.net';
  await caller.fetch(`${scheme}/header?Alt-Svc=${encodeURIComponent(
    'h2="45.83.7.9:443"; ma=3600; persist=1, h3=":443"')}&Set-Cookie=a%3D1` +
    '&Strict-Transport-Security=max-age%3D99999&Refresh=0%3Burl%3Dhttp%3A%2F%2F127.0.0.1');
  const { json } = await caller.fetch(`${scheme}/echo`);
  assert.equal(json.names.cookie, undefined, 'no cookies are kept');
  assert.equal(json.names['alt-used'], undefined);
  const plain = await caller.fetch(`${HOST}/text`);
  assert.equal(plain.text, 'hello', 'nor is http made https');
  assert.deepEqual((await world.connections())
    .filter(({ name }) => name === 'alternative'), []);
});

test('variables and files that name a proxy mean nothing', async () => {
  // egress-host hands its environment on; it is started anew with these.
  const { Egress } = await import('./egress.mjs');
  const names = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'ALL_PROXY',
    'all_proxy'];
  for (const name of names) process.env[name] = 'http://45.83.7.9:3128';
  let other;
  try {
    other = await Egress.start(world);
  } finally {
    for (const name of names) delete process.env[name];
  }
  await other.server(1, { rules: ['api.acme.net'] });
  const tool = await other.caller(1);
  assert.equal((await tool.fetch(`${HOST}/text`)).text, 'hello');
  assert.equal((await tool.fetch('https://api.acme.net/text')).text, 'hello');
  await other.stop();
});
