// SPDX-License-Identifier: Apache-2.0

// What a caller of egress gets: answers whole and streamed, bodies both ways,
// redirects hop by hop, and an end with a reason whatever the origin does.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Egress, WINDOW } from '../lib/egress.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const AT = '45.83.7.1';
let world;
let egress;
let caller;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', AT);
  await world.site('other.acme.net', '45.83.7.2');
  egress = await Egress.start(world);
  await egress.server(1, { rules: ['api.acme.net', 'other.acme.net'],
    budget: { perMinute: 100_000, perCaller: 100_000 } });
  caller = await egress.caller(1);
});
after(async () => {
  await egress?.stop();
  await world?.stop();
});

for (const scheme of ['http', 'https']) {
  const base = `${scheme}://api.acme.net`;

  describe(`over ${scheme}`, () => {
    test('method, headers and body arrive as they were sent', async () => {
      const { end, json, status, url } = await caller.fetch(`${base}/echo?q=1`,
        { method: 'PATCH', headers: { 'X-One': 'a b', 'x-two': '' }, body: 'hello' });
      assert.deepEqual([end, status, url], ['OK', 200, `${base}/echo?q=1`]);
      assert.equal(json.method, 'PATCH');
      assert.equal(json.body, 'hello');
      assert.equal(json.names['x-one'], 'a b');
      assert.equal(json.names['x-two'], '');
      assert.equal(json.names['content-length'] ?? '5', '5');
    });

    test('headers of one hop, and of framing, are not the caller\'s', async () => {
      const { json } = await caller.fetch(`${base}/echo`, { headers: {
        Host: 'evil.example', Connection: 'x-secret', 'Transfer-Encoding': 'chunked',
        'Content-Length': '99', TE: 'trailers', Upgrade: 'h2c', Expect: '100-continue',
        'Proxy-Authorization': 'x', 'Keep-Alive': '1' } });
      assert.equal(json.names.host ?? json.names[':authority'], 'api.acme.net');
      for (const name of ['connection', 'transfer-encoding', 'content-length', 'te',
        'upgrade', 'expect', 'proxy-authorization', 'keep-alive'])
        assert.ok(!(name in json.names), name);
    });

    test('a body of unknown length is streamed', async () => {
      const fetch = caller.open(`${base}/length`, { method: 'POST', stream: true });
      for (let i = 0; i < 40; i++) await fetch.send(Buffer.alloc(50_000));
      fetch.sent();
      assert.equal((await fetch.over).text, '2000000');
    });

    test('an answer of many windows comes whole', async () => {
      const { end, size } = await caller.fetch(`${base}/bytes/20000000`, { keep: false });
      assert.deepEqual([end, size], ['OK', 20_000_000]);
    });

    test('who gives no room gets a window, and no more', async () => {
      const fetch = caller.open(`${base}/bytes/20000000`, { keep: false, take: false });
      await new Promise((done) => {
        fetch.heard = () => { if (fetch.size === WINDOW) done(); };
      });
      // Another one's answer is not held up, nor is there more of this one.
      assert.equal((await caller.fetch(`${base}/text`)).text, 'hello');
      assert.equal(fetch.size, WINDOW);
      fetch.cancel();
    });

    test('HEAD, 204, 404 and an empty 200', async () => {
      const head = await caller.fetch(`${base}/text`, { method: 'HEAD' });
      assert.deepEqual([head.end, head.status, head.text], ['OK', 200, '']);
      for (const status of [200, 204, 404, 500]) {
        const answer = await caller.fetch(`${base}/status/${status}`);
        assert.deepEqual([answer.end, answer.status, answer.text], ['OK', status, '']);
      }
    });

    test('an answer beyond its budget ends at once, however it is taken up', async () => {
      await egress.server(2, { rules: ['api.acme.net'], budget: { bytesIn: 1 << 20 } });
      const one = await egress.caller(2);
      for (let i = 0; i < 20; i++) {
        const { end, size, error } = await one.fetch(`${base}/bytes/2000000`, { keep: false });
        assert.equal(end, 'TOO_LARGE', error);
        assert.ok(size <= 1 << 20);
      }
      await one.close();
      // None of them waited for a timer of libcurl's.
      for (const event of egress.events.filter(({ deployment }) => deployment === 2))
        assert.ok(event.ms < 8000, `${event.ms} ms`);
    });
  });
}

describe('redirects', () => {
  const to = (status, target) =>
    `https://api.acme.net/redirect/${status}?to=${encodeURIComponent(target)}`;

  for (const [status, method, then] of [[301, 'POST', 'GET'], [302, 'POST', 'GET'],
    [303, 'PUT', 'GET'], [307, 'POST', 'POST'], [308, 'PUT', 'PUT'], [302, 'PUT', 'PUT']]) {
    test(`${status} of a ${method} becomes a ${then}`, async () => {
      const { json, url } = await caller.fetch(to(status, '/echo'),
        { method, body: 'again', headers: { 'content-type': 'text/plain' } });
      assert.equal(url, 'https://api.acme.net/echo');
      assert.equal(json.method, then);
      assert.equal(json.body, then === 'GET' ? '' : 'again');
      assert.equal('content-type' in json.names, then !== 'GET');
    });
  }

  test('what is for one origin goes to no other', async () => {
    const headers = { Authorization: 'Bearer x', cookie: 'a=b', 'x-mine': '1' };
    const same = await caller.fetch(to(307, '/echo'), { headers });
    assert.equal(same.json.names.authorization, 'Bearer x');
    const other = await caller.fetch(to(307, 'https://other.acme.net/echo'), { headers });
    assert.equal(other.json.address, '45.83.7.2');
    assert.equal(other.json.names.authorization, undefined);
    assert.equal(other.json.names.cookie, undefined);
    assert.equal(other.json.names['x-mine'], '1');
  });

  test('each hop is checked like the first', async () => {
    for (const target of ['http://169.254.169.254/latest/meta-data/', 'https://evil.com/',
      'https://api.acme.net:8443/', 'https://user@api.acme.net/', 'file:///etc/passwd'])
      assert.ok(['NO_RULE', 'REDIRECT'].includes(
        (await caller.fetch(to(302, target))).end), target);
  });

  test('twenty, and no more', async () => {
    await world.https('loop.acme.net', { address: '45.83.7.3', handler:
      ({ response }) => { response.writeHead(302, { location: '/' }); response.end(); } });
    await world.name('loop.acme.net', { a: ['45.83.7.3'] });
    await egress.server(3, { rules: ['loop.acme.net'] });
    const one = await egress.caller(3);
    const { end, error } = await one.fetch('https://loop.acme.net/');
    assert.deepEqual([end, error], ['REDIRECT', 'more than 20 redirects']);
    await one.close();
  });

  test('as the caller wants it: an answer, or a failure', async () => {
    const answer = await caller.fetch(to(302, '/echo'), { follow: false });
    assert.deepEqual([answer.end, answer.status], ['OK', 302]);
    const failure = await caller.fetch(to(302, '/echo'),
      { follow: false, redirectFails: true });
    assert.equal(failure.end, 'REDIRECT');
  });
});

describe('ends', () => {
  test('nobody listens, nobody is called so, nobody was allowed', async () => {
    assert.equal((await caller.fetch('https://api.acme.net:444/')).end, 'NO_RULE');
    await egress.server(4, { rules: ['https://api.acme.net:9443', 'gone.acme.net'] });
    const one = await egress.caller(4);
    const refused = await one.fetch('https://api.acme.net:9443/');
    assert.equal(refused.end, 'CONNECT');
    assert.match(refused.error, /api\.acme\.net:9443/);
    assert.equal((await one.fetch('https://gone.acme.net/')).end, 'DNS');
    await one.close();
  });

  test('a record that is broken ends what its server had, and nobody else', async () => {
    await egress.server(40, { rules: ['api.acme.net'] });
    const one = await egress.caller(40);
    assert.equal((await one.fetch('https://api.acme.net/text')).end, 'OK');
    await egress.server(40, { rules: ['api.acme.net'],
      secrets: [{ name: 'A', kind: 'unknown', host: 'api.acme.net', value: 'x' }] });
    await until('its word', () => /record of server 40 is broken/.test(egress.log));
    assert.equal((await one.fetch('https://api.acme.net/text')).end, 'NO_RULE');
    // The next one is heard, also of the same server.
    await egress.server(41, { rules: ['api.acme.net'] });
    const other = await egress.caller(41);
    assert.equal((await other.fetch('https://api.acme.net/text')).end, 'OK');
    await egress.server(40, { rules: ['api.acme.net'] });
    const again = await egress.caller(40);
    assert.equal((await again.fetch('https://api.acme.net/text')).end, 'OK');
    for (const caller_ of [one, other, again]) await caller_.close();
  });

  test('who asks before the store has said all that there is waits for it', async (t) => {
    const other = await Egress.start(world, { untold: true });
    t.after(() => other.stop());
    const one = await other.caller(1);
    const link = await other.caller(1, { kind: 'link' });
    const answers = [one, link].map((caller_) =>
      caller_.fetch('https://api.acme.net/text'));
    await other.server(1, { rules: ['api.acme.net'] });
    await other.tell('snapshot');
    for (const answer of answers) assert.equal((await answer).text, 'hello');
    for (const caller_ of [one, link]) await caller_.close();
  });

  test('a URL may name an address, of either version', async () => {
    await world.site('addresses.acme.net', '2a0e:97c0:47::7');
    await egress.server(9, { rules: ['http://[2a0e:97c0:47::7]', 'http://45.83.7.1',
      'http://addresses.acme.net'] });
    const one = await egress.caller(9);
    for (const host of ['addresses.acme.net', '[2a0e:97c0:47::7]', '45.83.7.1']) {
      const { end, error, text } = await one.fetch(`http://${host}/text`);
      assert.deepEqual([end, text], ['OK', 'hello'], `${host}: ${error}`);
    }
    await one.close();
  });

  test('a certificate of another name is not taken', async () => {
    await world.https('api.acme.net', { address: '45.83.7.9' });
    await world.name('wrong.acme.net', { a: ['45.83.7.9'] });
    await egress.server(5, { rules: ['wrong.acme.net'] });
    const one = await egress.caller(5);
    const { end, error } = await one.fetch('https://wrong.acme.net/');
    assert.equal(end, 'TLS', error);
    await one.close();
  });

  test('a status that no answer to this has', async () => {
    for (const [i, head] of ['101 Switching Protocols', '600 Odd', '999 Odd'].entries()) {
      const at = `45.83.8.${i + 1}`;
      await world.tcp('odd.acme.net', { port: 80, address: at,
        say: `HTTP/1.1 ${head}\r\nContent-Length: 2\r\n\r\nhi` });
      await world.name('odd.acme.net', { a: [at], ttl: 0 });
      await egress.server(7, { rules: [`odd.acme.net`] });
      const one = await egress.caller(7);
      const { end, status } = await one.fetch('http://odd.acme.net/');
      assert.deepEqual([end, status], ['PROTOCOL', undefined], head);
      await one.close();
    }
  });

  test('a reset, before and in the middle of the answer', async () => {
    for (const path of ['reset', 'reset/body'])
      assert.equal((await caller.fetch(`http://api.acme.net/${path}`)).end, 'CUT', path);
  });

  test('a cancelled fetch is over; the connection serves the next', async () => {
    const fetch = caller.open('https://api.acme.net/drip?ms=5');
    await fetch.headed;
    fetch.cancel();
    assert.equal((await caller.fetch('https://api.acme.net/text')).text, 'hello');
    await egress.event(({ path, end }) => path === '/drip' && end === 14);
  });

  test('a caller that leaves takes its fetches with it', async () => {
    const before = egress.descriptors;
    const one = await egress.caller(1);
    for (let i = 0; i < 10; i++) one.open('http://api.acme.net/drip?ms=5');
    await one.open('http://api.acme.net/drip?ms=5').headed;
    await one.close();
    await egress.event(({ path, end, scheme }) => path === '/drip' && end === 14 &&
      scheme === 1);
    assert.equal((await caller.fetch('https://api.acme.net/text')).text, 'hello');
    assert.ok(egress.descriptors <= before + 16, 'idle connections at most');
  });

  // What libcurl held back comes at once when a fetch goes on, and stops others.
  test('40 at once that fill what their caller has room for all end', async () => {
    await egress.server(8, { rules: ['api.acme.net'],
      budget: { open: 64, perMinute: 1e6, perCaller: 1e6, bytesIn: 2 << 20,
        bytesPerMinute: 1e15 } });
    const one = await egress.caller(8);
    const paths = ['flood', 'lie/10/1000'];
    const ended = [];
    let n = 0;
    await Promise.all(Array.from({ length: 40 }, async () => {
      while (n < 600) {
        const path = paths[n++ % paths.length];
        const { end } = await one.open(`https://api.acme.net/${path}`,
          { keep: false }).over;
        ended.push(`${path} ${end}`);
      }
    }));
    assert.deepEqual([...new Set(ended)].sort(), ['flood TOO_LARGE', 'lie/10/1000 CUT']);
    await one.close();
  });

  // Node's HTTP/2 sends a client away after a thousand streams.
  test('a connection that was given up between two requests is made anew', async () => {
    await world.name('api.acme.net', { a: [AT], ttl: 60 });
    for (let i = 0; i < 1100; i++) {
      const { end, error } = await caller.fetch('https://api.acme.net/text');
      assert.equal(end, 'OK', error);
    }
  });

  test('rules that change hold for the next fetch', async () => {
    await egress.server(6, { rules: ['api.acme.net'] });
    const one = await egress.caller(6);
    assert.equal((await one.fetch('https://api.acme.net/text')).end, 'OK');
    await egress.server(6, { rules: ['other.acme.net'] });
    assert.equal((await one.fetch('https://api.acme.net/text')).end, 'NO_RULE');
    assert.equal((await one.fetch('https://other.acme.net/text')).end, 'OK');
    await one.close();
  });
});
