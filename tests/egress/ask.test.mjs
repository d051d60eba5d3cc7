// SPDX-License-Identifier: Apache-2.0

// What the store asks through egress: it alone hears the answer, and whatever
// is asked goes nowhere but to https at an address that anyone may dial.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../lib/processes.mjs';
import { Egress } from '../lib/egress.mjs';
import { World, METADATA } from '../lib/world.mjs';

const AT = '45.83.7.1';
const BASE = 'https://auth.acme.net';
const KEY = 'sk-live-0123456789abcdef';
let world;
let egress;
before(async () => {
  world = await World.start();
  await world.site('auth.acme.net', AT);
  await world.name('inner.acme.net', { a: ['10.0.0.7'] });
  await world.https('inner.acme.net', { address: '10.0.0.7' });
  await world.https('meta', { address: METADATA, certificate: [METADATA] });
  await world.name('silent.acme.net', { a: ['45.83.7.99'] });
  egress = await Egress.start(world);
  await egress.server(1, { rules: ['https://mcp.acme.net'],
    budget: { perMinute: 100_000 },
    secrets: [{ name: 'KEY', host: 'auth.acme.net', value: KEY }] });
});
after(async () => {
  await egress?.stop();
  await world?.stop();
});

describe('a question', () => {
  test('goes out as it was asked, with no rule, and comes back whole', async () => {
    const { end, status, json, headers } = await egress.ask(1, `${BASE}/echo?a=1`,
      { method: 'POST', body: 'grant_type=refresh_token',
        headers: { Authorization: 'Basic eA==', 'content-type': 'text/plain' } });
    assert.deepEqual([end, status], ['OK', 200]);
    assert.equal(json.method, 'POST');
    assert.equal(json.url, '/echo?a=1');
    assert.equal(json.body, 'grant_type=refresh_token');
    assert.equal(json.names['content-length'], '24');
    assert.deepEqual(headers.find(([name]) => name === 'content-type'),
      ['content-type', 'application/json']);
    // Another caller of that server has no such way.
    const caller = await egress.caller(1, { kind: 'link' });
    assert.equal((await caller.fetch(`${BASE}/echo`)).end, 'NO_RULE');
    await caller.close();
  });

  test('carries no secret but its own, and none is taken out of the answer', async () => {
    const { json } = await egress.ask(1, `${BASE}/echo`);
    assert.equal(json.names.authorization, undefined);
    const own = await egress.ask(1, `${BASE}/echo`,
      { headers: { authorization: `Bearer ${KEY}`, cookie: 'a=b' } });
    assert.equal(own.json.names.authorization, `Bearer ${KEY}`);
    assert.equal(own.json.names.cookie, 'a=b');
    assert.equal((await egress.ask(1, `${BASE}/text?say=${KEY}`)).text, KEY);
  });

  test('has an answer like others where the status says no', async () => {
    for (const code of [204, 400, 401, 404, 500]) {
      const { end, status, text } = await egress.ask(1, `${BASE}/status/${code}`);
      assert.deepEqual([end, status, text], ['OK', code, '']);
    }
  });

  test('goes over https alone, and to public addresses alone', async () => {
    // The controls: there is an origin at each.
    for (const url of ['http://auth.acme.net/text', 'https://inner.acme.net/text',
      `https://${METADATA}/text`]) {
      assert.equal((await world.run(['curl', '-s', url])).stdout, 'hello', url);
    }
    await world.forget();
    for (const [url, why] of [['http://auth.acme.net/text', 'NO_RULE'],
      ['https://inner.acme.net/text', 'ADDRESS'],
      [`https://${METADATA}/text`, 'ADDRESS'], ['https://127.0.0.1/', 'ADDRESS'],
      ['https://[::ffff:10.0.0.7]/', 'ADDRESS'], ['file:///etc/passwd', 'BAD'],
      ['https://user:pw@auth.acme.net/', 'BAD'], ['', 'BAD']]) {
      const { end, text, status } = await egress.ask(1, url);
      assert.ok(end === why || (end === 'BAD' && why === 'ADDRESS'), `${url}: ${end} ${text}`);
      assert.equal(status, 0);
      assert.ok(text.length > 10, text);
    }
    assert.deepEqual(await world.requests(), []);
    assert.match((await egress.ask(1, 'http://auth.acme.net/text')).text, /https alone/);
  });

  test('follows no redirect', async () => {
    await world.forget();
    for (const code of [301, 302, 303, 307, 308]) {
      const { end, text } = await egress.ask(1,
        `${BASE}/redirect/${code}?to=${encodeURIComponent(`${BASE}/echo`)}`);
      assert.equal(end, 'REDIRECT', text);
    }
    assert.ok((await world.requests()).every(({ url }) => url.startsWith('/redirect/')));
  });

  test('has a short answer: 64 KiB, with a head of 32', async () => {
    assert.equal((await egress.ask(1, `${BASE}/bytes/65536`)).bytes.length, 65536);
    for (const page of ['bytes/65537', 'bytes/65537?chunked', 'flood',
      'bytes/2000000000']) {
      const { end, text, length } = await egress.ask(1, `${BASE}/${page}`);
      assert.equal(end, 'TOO_LARGE', page);
      assert.equal(text.length, length);
      assert.match(text, /65536 bytes/);
    }
    const head = (size) => egress.ask(1, `${BASE}/header?x-a=${'a'.repeat(size / 4)}` +
      `&x-b=${'b'.repeat(size / 4)}&x-c=${'c'.repeat(size / 4)}&x-d=${'d'.repeat(size / 4)}`);
    const good = await head(6000);
    assert.deepEqual([good.end, good.text], ['OK', 'ok']);
    await world.https('head.acme.net', { address: '45.83.7.3', handler:
      ({ response, words: [size] }) => {
        for (let i = 0; i < 4; i++) response.setHeader(`x-${i}`, 'y'.repeat(size / 4));
        response.end('ok');
      } });
    await world.name('head.acme.net', { a: ['45.83.7.3'] });
    assert.equal((await egress.ask(1, 'https://head.acme.net/x/32000')).end, 'OK');
    const long = await egress.ask(1, 'https://head.acme.net/x/34000');
    assert.equal(long.end, 'TOO_LARGE', long.text);
    assert.match(long.text, /32 KiB/);
  });

  test('of a server that may reach nothing is not asked', async () => {
    const { end, text } = await egress.ask(77, `${BASE}/echo`);
    assert.deepEqual([end, /not approved/.test(text)], ['NO_RULE', true]);
  });

  test('counts in its server\'s budget, and is told of like others', async () => {
    await egress.server(2, { budget: { perMinute: 2 } });
    for (const end of ['OK', 'OK', 'BUDGET'])
      assert.equal((await egress.ask(2, `${BASE}/status/404`)).end, end);
    const mine = () => egress.events.filter(({ deployment }) => deployment === 2);
    await egress.event(() => mine().length >= 3);
    const events = mine();
    assert.deepEqual(events.map(({ end, status, host, path, refused }) =>
      [end, status, host, path, refused]),
    [[0, 404, 'auth.acme.net', '/status/404', 0],
      [0, 404, 'auth.acme.net', '/status/404', 0],
      [4, 0, 'auth.acme.net', '/status/404', 1]]);
  });

  // It may be the token that replaced another.
  test('that has gone out has its whole answer, whatever others spent', async () => {
    await egress.server(3, { budget: { bytesPerMinute: 1000, bytesIn: 100 } });
    const { end, length } = await egress.ask(3, `${BASE}/bytes/40000`);
    assert.deepEqual([end, length], ['OK', 40_000]);
    assert.equal((await egress.ask(3, `${BASE}/text`)).end, 'BUDGET');
  });

  test('ends after 20 seconds, however it is kept', async () => {
    const asked = ['stall-head', 'stall-body', 'drip'].map((page) => `${BASE}/${page}`);
    const answers = await Promise.all(asked.map((url) => egress.ask(1, url)));
    for (const { end, text } of answers) {
      assert.equal(end, 'TIMEOUT');
      assert.match(text, /within 20 seconds/);
    }
    for (const event of egress.events.filter(({ end }) => end === 9))
      assert.ok(event.ms >= 20_000, `${event.ms} ms`);
  });

  test('to nobody, and cut, has an end', async () => {
    assert.equal((await egress.ask(1, `${BASE}/reset`)).end, 'CUT');
    assert.equal((await egress.ask(1, 'https://nowhere.acme.net/')).end, 'DNS');
    assert.equal((await egress.ask(1, 'https://auth.acme.net:444/')).end, 'CONNECT');
    await world.https('stranger', { address: '45.83.7.4', authority: 'other' });
    await world.name('stranger', { a: ['45.83.7.4'] });
    await world.name('stranger.acme.net', { a: ['45.83.7.4'] });
    assert.equal((await egress.ask(1, 'https://stranger.acme.net/')).end, 'TLS');
  });
});

describe('a store that does not read', () => {
  test('has 64 answers kept for it, and hears them when it does', async () => {
    await egress.tell('deaf');
    const before = egress.residentBytes;
    const mine = ({ path, deployment }) => path === '/bytes/65536' && deployment === 1;
    const known = egress.events.filter(mine).length;
    const answers = Array.from({ length: 64 }, () => egress.ask(1, `${BASE}/bytes/65536`));
    await egress.event(() => egress.events.filter(mine).length === known + 64);
    assert.ok(egress.residentBytes - before < 64 << 20);
    await egress.tell('hearing');
    for (const { end, bytes } of await Promise.all(answers))
      assert.deepEqual([end, bytes.length], ['OK', 65536]);
    assert.equal((await egress.ask(1, `${BASE}/text`)).text, 'hello');
  });
});

describe('a store that breaks the rules ends egress', () => {
  const breaches = {
    'a head longer than any': (one) => [one.askFrame(1, `${BASE}/echo`,
      { headers: { a: 'x'.repeat(33_000) } })],
    'a body longer than any': (one) => [one.askFrame(1, `${BASE}/echo`,
      { method: 'POST', body: 'x'.repeat(65_537) })],
    'lengths that lie': (one) => [one.askFrame(1, `${BASE}/echo`, { bodyLength: 5 })],
    'lengths that wrap': (one) => [one.askFrame(1, `${BASE}/echo`,
      { headLength: 0xffffffff, bodyLength: 40 })],
    'a head without a URL': (one) => [one.askFrame(1, `${BASE}/echo`,
      { headLength: 4, bodyLength: `${BASE}/echo`.length + 1 })],
    'half a question': (one) => [one.askFrame(1, '', { }).subarray(0, 44)
      .fill(4, 4, 5)],
    'the number of another': (one) => [one.askFrame(1, `${BASE}/stall-head`, { number: 5 }),
      one.askFrame(1, `${BASE}/echo`, { number: 5 })],
    'more than 64 at once': (one) => Array.from({ length: 65 },
      () => one.askFrame(1, `${BASE}/stall-head`)),
  };
  for (const [name, frames] of Object.entries(breaches)) {
    test(name, async (t) => {
      const one = await Egress.start(world);
      t.after(() => one.stop());
      await one.server(1, { budget: { perMinute: 1000, open: 100 } });
      assert.equal((await one.ask(1, `${BASE}/text`)).text, 'hello');
      await one.raw(...frames(one)).catch(() => {});
      await one.over();
      await until('its word', () =>
        /the store's records: .*(question|asked)/.test(one.log));
    });
  }

  test('64 at once are none', async (t) => {
    const one = await Egress.start(world);
    t.after(() => one.stop());
    await one.server(1, { budget: { perMinute: 1000, open: 100 } });
    const asked = Array.from({ length: 64 }, () => one.ask(1, `${BASE}/late?ms=200`));
    for (const { text } of await Promise.all(asked)) assert.equal(text, 'late');
  });
});
