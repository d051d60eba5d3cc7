// SPDX-License-Identifier: Apache-2.0

// THREATS §4 G: an allowed origin that redirects. Each hop is checked like the
// first.

import { CREDENTIALS, loopback, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

let scene;
let world;
let egress;
let caller;
let own;
before(async () => {
  scene = await stage({ isEverywhere: true, rules: ['api.acme.net',
    'rebind.acme.net', 'inner.acme.net', 'http://plain.acme.net'] });
  ({ world, egress } = scene);
  await world.https('api.acme.net', { address: '45.83.7.1' });
  await world.name('plain.acme.net', { a: ['45.83.7.1'] });
  await world.name('inner.acme.net', { a: ['10.0.0.5'] });
  await world.name('elsewhere.net', { a: ['45.83.9.9'] });
  caller = await egress.caller(1);
  own = await loopback();
});
after(async () => {
  await own.close();
  await scene.end();
});

const CODES = [301, 302, 303, 307, 308];
const EVIL = 'http://169.254.169.254/latest/';

const via = (code, to, scheme = 'http') =>
  `${scheme}://api.acme.net/redirect/${code}?to=${encodeURIComponent(to)}`;
const bare = (code, to) => 'http://api.acme.net/redirect64/' +
  `${code}?to=${encodeURIComponent(Buffer.from(to, 'latin1').toString('base64'))}`;

const inner = async () => [...(await world.connections())
  .filter(({ address }) => address !== '45.83.7.1'), ...own.seen];

test('control: a client that follows is led inside by each code', async () => {
  for (const code of CODES) {
    const { stdout } = await world.run(['curl', '-sL', '--max-time', '20',
      via(code, EVIL)]);
    assert.equal(stdout, CREDENTIALS, `${code}`);
  }
  await world.forget();
});

test('a redirect to inside is refused, by each code and method', async () => {
  for (const code of CODES) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      for (const scheme of ['http', 'https']) {
        const { end, text } = await caller.fetch(via(code, EVIL, scheme),
          { method, ...method === 'POST' ? { body: 'x' } : {} });
        assert.ok(['NO_RULE', 'ADDRESS', 'REDIRECT'].includes(end),
          `${code} ${method} ${scheme}: ${end}`);
        assert.equal(text, '');
      }
    }
  }
  assert.deepEqual(await inner(), []);
});

const evilPlaces = ['http://127.0.0.1/', '//127.0.0.1/', '//169.254.169.254/',
  'http://2130706433/', 'http://0x7f000001/', 'http://0177.0.0.1/',
  'http://127.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/',
  'http://localhost/', 'http://inner.acme.net/', 'http://10.0.0.5/',
  'http://elsewhere.net/', 'https://elsewhere.net/', '//elsewhere.net/',
  'http://api.acme.net@127.0.0.1/', 'http://127.0.0.1#@api.acme.net/',
  'http://127.0.0.1\\@api.acme.net/', '\\\\127.0.0.1\\', '/\\127.0.0.1/',
  '\\/127.0.0.1/', '///127.0.0.1/', '////127.0.0.1/', '/\t/127.0.0.1/',
  'http:127.0.0.1/', 'http:/127.0.0.1/', 'http:\\\\127.0.0.1/',
  'HTTP://127.0.0.1/', ' http://127.0.0.1/', 'http://127.0.0.1 /',
  'http://127.0.0.1%2f@api.acme.net/', 'http://api.acme.net:22/',
  'http://api.acme.net:8080/', 'https://plain.acme.net/',
  'file:///etc/passwd', 'gopher://127.0.0.1:80/_x', 'ftp://127.0.0.1/',
  'dict://127.0.0.1:80/', 'data:,x', 'javascript:1', 'ws://127.0.0.1/',
  'http://', 'https://', '//', 'http://?', 'http://\u00e9.acme.net/',
  'http://api.acme.net\u00a0@127.0.0.1/', 'http://169.254.169.254:80:80/',
  'http://[::1', 'http://%31%32%37.0.0.1/', 'http://api.acme.net%00/',
  '/../a', '/a/../../b', '/%2e%2e/a', 'http://api.acme.net/a/../b'];

test('every spelling of a Location to elsewhere is refused', async () => {
  await world.forget();
  own.seen.length = 0;
  for (const place of evilPlaces) {
    const { end, status } = await caller.fetch(bare(302, place));
    assert.ok(['NO_RULE', 'ADDRESS', 'REDIRECT', 'PROTOCOL', 'BAD']
      .includes(end), `${JSON.stringify(place)}: ${end} ${status}`);
  }
  assert.deepEqual(await inner(), []);
});

test('two Locations, or one that breaks the head, lead nowhere', async () => {
  for (const to of ['http://api.acme.net/text\r\nLocation: http://127.0.0.1/',
    'http://127.0.0.1/\r\nLocation: http://api.acme.net/text',
    'http://api.acme.net/text\nHost: x', 'http://api.acme.net/\0@127.0.0.1/']) {
    await caller.fetch(bare(302, to));
  }
  assert.deepEqual(await inner(), []);
});

test('a name that is public at first and then not is refused on the way',
  async () => {
    await world.name('rebind.acme.net', [{ a: ['45.83.7.1'], ttl: 0 },
      { a: ['169.254.169.254'], ttl: 0 }]);
    const { end, text } = await caller.fetch(
      `http://rebind.acme.net/redirect/302?to=${encodeURIComponent(
        'http://rebind.acme.net/text')}`);
    // Either it was the same checked address, or it was refused.
    assert.ok(end === 'ADDRESS' || text === 'hello', end);
    assert.deepEqual(await inner(), []);
  });

test('redirects that are allowed are followed', async () => {
  for (const code of CODES) {
    for (const to of ['/text', '//api.acme.net/text', '/text?say=hello',
      'https://api.acme.net/text', 'http://plain.acme.net/text']) {
      const { text, error, url } = await caller.fetch(bare(code, to));
      assert.equal(text, 'hello', `${code} ${to}: ${error}`);
      assert.match(url, /\/text/);
    }
  }
});

test('from https to http only where a rule says so', async () => {
  const { text } = await caller.fetch(via(302, 'http://plain.acme.net/text',
    'https'));
  assert.equal(text, 'hello');
  const { end } = await caller.fetch(via(302, 'https://plain.acme.net/text',
    'https'));
  assert.equal(end, 'NO_RULE');
});

test('a circle ends', async () => {
  await world.forget();
  const { end } = await caller.fetch(
    'http://api.acme.net/redirect/302?to=' + encodeURIComponent('/redirect/302'));
  assert.notEqual(end, 'OK');
  await world.http('circle', { address: '45.83.7.7', port: 8080,
    handler: ({ response }) => {
      response.writeHead(302, { location: '/again' });
      response.end();
    } });
  await world.name('circle.acme.net', { a: ['45.83.7.7'] });
  await egress.server(2, { rules: ['http://circle.acme.net:8080'] });
  const other = await egress.caller(2);
  const round = await other.fetch('http://circle.acme.net:8080/');
  assert.ok(['REDIRECT', 'BUDGET'].includes(round.end), round.end);
  const seen = (await world.requests()).filter(({ name }) => name === 'circle');
  assert.ok(seen.length <= 21, `${seen.length} requests`);
});

test('a redirect is an answer where nobody follows, a failure where asked',
  async () => {
    const still = await caller.fetch(via(302, EVIL), { follow: false });
    assert.equal(still.status, 302);
    assert.ok(still.headers.some(([name, value]) =>
      name === 'location' && value === EVIL));
    const fails = await caller.fetch(via(302, '/text'),
      { follow: false, redirectFails: true });
    assert.equal(fails.end, 'REDIRECT');
  });

test('the caller\'s credentials do not go along to another host', async () => {
  await world.forget();
  const mine = { authorization: 'Bearer mine', cookie: 'a=mine',
    'proxy-authorization': 'Basic mine' };
  const { json } = await caller.fetch(via(302, 'http://plain.acme.net/echo'),
    { headers: mine });
  assert.doesNotMatch(JSON.stringify(json), /mine/);
  const same = await caller.fetch(via(302, '/echo'), { headers: mine });
  assert.match(JSON.stringify(same.json), /Bearer mine/);
});
