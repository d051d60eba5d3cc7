// SPDX-License-Identifier: Apache-2.0

// THREATS §4 H: a secret goes to the host that it is bound to, over verified
// TLS, and is never seen by the tool, however the origin or the tool tries.

import { PLENTY, stage } from './egress.mjs';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

const VALUE = 'sk-live-9f8e7d6c5b4a"quoted\\and+slash/';
const QUERY = 'q-0123456789abcdef&=?';
const BASIC = 'robot:pa55-w0rd-that-is-long';

const secrets = [
  { name: 'KEY', host: 'api.acme.net', value: VALUE },
  { name: 'QUERY', kind: 'query', host: 'query.acme.net', field: 'api_key',
    template: '{}', value: QUERY },
  { name: 'BASIC', kind: 'basic', host: 'basic.acme.net', value: BASIC,
    template: '{}' },
  { name: 'HEADER', host: 'header.acme.net', field: 'x-api-key',
    template: '{}', value: VALUE },
  { name: 'PORT', host: 'port.acme.net', port: 8443, value: VALUE },
  { name: 'MINE', host: 'mine.acme.net', value: VALUE, principal: 5 },
];

let scene;
let world;
let egress;
let caller;
before(async () => {
  scene = await stage({ rules: ['*.acme.net', 'https://port.acme.net:8443'],
    more: { secrets } });
  ({ world, egress } = scene);
  await world.https('any', { address: '45.83.7.2', certificate: ['*.acme.net'] });
  await world.https('any', { address: '45.83.7.2', port: 8443,
    certificate: ['*.acme.net'] });
  await world.http('any', { address: '45.83.7.2' });
  for (const name of ['query', 'basic', 'header', 'port', 'mine', 'other',
    'redirect']) {
    await world.name(`${name}.acme.net`, { a: ['45.83.7.2'] });
  }
  caller = await egress.caller(1);
});
after(() => scene.end());
beforeEach(() => world.forget());

// What origins saw of it.
async function leaked(value = VALUE) {
  const seen = JSON.stringify(await world.requests());
  return spellings(value).filter((text) => seen.includes(text));
}

// Base64 of it at each offset, without what depends on the neighbours.
const base64s = (value) => [0, 1, 2].map((offset) =>
  Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]).toString('base64')
    .slice(offset === 0 ? 0 : offset + 1).replace(/.{0,4}=*$/, ''))
  .flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);

const spellings = (value) => [value, encodeURIComponent(value),
  Buffer.from(value).toString('hex'),
  Buffer.from(value).toString('hex').toUpperCase(),
  JSON.stringify(value).slice(1, -1), ...base64s(value)];

const isClean = (text, value = VALUE) => {
  for (const spelling of spellings(value)) {
    assert.ok(!text.includes(spelling), `${spelling} in ${text.slice(0, 300)}`);
  }
};

const everything = (result) => JSON.stringify([result.error, result.url,
  result.headers, result.text]) + result.text + result.error;

test('control: it is put in, and the origin has it', async () => {
  const { status, text } = await caller.fetch('https://api.acme.net/echo');
  assert.equal(status, 200);
  const [{ headers }] = await world.requests();
  assert.ok(headers.includes(`Bearer ${VALUE}`));
  isClean(text);
  assert.match(text, /\*{10}/, 'where it stood');
});

test('in a query, in basic, in a header of another name, on its port', async () => {
  await caller.fetch('https://query.acme.net/text?a=b');
  await caller.fetch('https://basic.acme.net/text');
  await caller.fetch('https://header.acme.net/text');
  await caller.fetch('https://port.acme.net:8443/text');
  const [query, basic, header, port] = await world.requests();
  assert.equal(new URL(query.url, 'http://x').searchParams.get('api_key'), QUERY);
  assert.ok(basic.headers.includes(
    `Basic ${Buffer.from(BASIC).toString('base64')}`));
  assert.ok(header.headers.includes(VALUE));
  assert.ok(port.headers.includes(`Bearer ${VALUE}`));
});

test('it goes nowhere else: plaintext, another port, another host', async () => {
  for (const url of ['http://api.acme.net/echo', 'https://port.acme.net/echo',
    'https://other.acme.net/echo', 'http://query.acme.net/echo',
    'http://basic.acme.net/echo']) {
    const result = await caller.fetch(url);
    assert.ok(['OK', 'SECRET'].includes(result.end), `${url}: ${result.end}`);
  }
  for (const value of [VALUE, QUERY, BASIC]) {
    assert.deepEqual(await leaked(value), []);
  }
});

test('nor to another server, another tenant, another principal', async () => {
  await egress.server(2, { name: 'other', rules: ['*.acme.net'] });
  await egress.server(3, { tenant: 'two', rules: ['*.acme.net'] });
  for (const id of [2, 3]) {
    const other = await egress.caller(id);
    await other.fetch('https://api.acme.net/echo');
    await other.fetch('https://header.acme.net/echo');
  }
  await caller.fetch('https://mine.acme.net/echo');
  assert.equal((await world.requests()).length, 5, 'control: all arrived, without it');
  assert.deepEqual(await leaked(), []);
  const gateway = await egress.caller(1, { kind: 'link' });
  gateway.principal(4);
  await gateway.fetch('https://mine.acme.net/echo');
  assert.equal((await world.requests()).length, 6);
  assert.deepEqual(await leaked(), []);
  gateway.principal(5);
  await gateway.fetch('https://mine.acme.net/text');
  assert.notDeepEqual(await leaked(), [], 'control: whose it is');
});

test('nor along a redirect', async () => {
  const to = (place) => `?to=${encodeURIComponent(place)}`;
  for (const code of [301, 302, 303, 307, 308]) {
    for (const place of ['https://other.acme.net/echo',
      'http://api.acme.net/echo', 'https://port.acme.net/echo',
      'http://other.acme.net/echo']) {
      await world.forget();
      await caller.fetch(`https://api.acme.net/redirect/${code}${to(place)}`);
      const [first, ...seen] = await world.requests();
      assert.ok(first.headers.includes(`Bearer ${VALUE}`), 'control: it was put in');
      isClean(JSON.stringify(seen));
      if (place === 'https://other.acme.net/echo')
        assert.equal(seen.length, 1, `${code}: control: it is followed`);
    }
  }
});

test('a redirect that carries it elsewhere is refused or cleaned', async () => {
  await world.site('echoing.acme.net', '45.83.7.40', { handler:
    ({ request, response }) => {
      const key = (request.headers.authorization ?? '').replace('Bearer ', '');
      response.writeHead(302, { location:
        `https://other.acme.net/text?stolen=${encodeURIComponent(key)}` });
      response.end();
    } });
  await egress.server(4, { rules: ['*.acme.net'], budget: PLENTY,
    secrets: [{ ...secrets[0], host: 'echoing.acme.net' }] });
  const tool = await egress.caller(4);
  const result = await tool.fetch('https://echoing.acme.net/');
  isClean(everything(result));
  const others = (await world.requests()).filter(({ name }) => name === 'any');
  isClean(JSON.stringify(others));
  assert.notDeepEqual(await leaked(), [], 'control: who redirects has it');
  const still = await tool.fetch('https://echoing.acme.net/', { follow: false });
  isClean(everything(still));
});

test('the caller\'s own word for it does not stand beside it', async () => {
  for (const name of ['authorization', 'Authorization', 'AUTHORIZATION']) {
    await world.forget();
    await caller.fetch('https://api.acme.net/text',
      { headers: [[name, 'Bearer mine'], [name, 'Bearer mine too']] });
    const [{ headers }] = await world.requests();
    assert.doesNotMatch(JSON.stringify(headers), /mine/);
    assert.ok(headers.includes(`Bearer ${VALUE}`));
  }
});

test('headers that look like it are no way around', async () => {
  const names = ['authorization ', ' authorization', 'authorization\t',
    'authorization:', 'authorization\0', 'Authorization\r\nx'];
  for (const name of names) {
    const result = await caller.fetch('https://api.acme.net/text',
      { headers: [[name, 'Bearer mine']] });
    if (result.end === 'STREAM') caller = await egress.caller(1);
    assert.ok(['BAD', 'STREAM'].includes(result.end), JSON.stringify(name));
  }
});

test('one that would be two headers is put in nowhere', async () => {
  const good = { name: 'KEY', host: 'api.acme.net', field: 'x-key', template: '{}',
    value: 'abcdefgh' };
  const sent = async (change) => {
    await world.forget();
    await egress.server(8, { rules: ['api.acme.net'], secrets: [{ ...good, ...change }] });
    const tool = await egress.caller(8);
    await tool.fetch('https://api.acme.net/text');
    await tool.close();
    return world.requests();
  };
  assert.match(JSON.stringify(await sent({})), /abcdefgh/, 'control: a good one is');
  for (const change of [{ value: 'abcdefgh\r\nx-more: 1' }, { value: 'abcdefgh\nx-more: 1' },
    { value: 'abcdefgh\0x-more' }, { value: 'abcdefgh\x7f' }, { field: 'x-key: 1\rx-more' },
    { field: 'x-more\x01' }, { template: '{}\rx-more: 1' }]) {
    assert.deepEqual(await sent(change), [], JSON.stringify(change));
  }
});

// What an origin can make of what it was sent.
const echoes = {
  raw: (value) => value,
  'in pieces': (value) => value,
  base64: (value) => Buffer.from(value).toString('base64'),
  'base64, one off': (value) => Buffer.from(`x${value}`).toString('base64'),
  'base64, two off': (value) => Buffer.from(`xy${value}`).toString('base64'),
  'url-safe base64': (value) => Buffer.from(value).toString('base64url'),
  hex: (value) => Buffer.from(value).toString('hex'),
  HEX: (value) => Buffer.from(value).toString('hex').toUpperCase(),
  'URL-encoded': (value) => encodeURIComponent(value),
  JSON: (value) => JSON.stringify({ value }),
};

test('an origin that sends it back is cleaned, in each spelling', async () => {
  for (const [i, [name, spell]] of Object.entries(echoes).entries()) {
    const host = `back${i}.acme.net`;
    const said = `<${spell(VALUE)}>`;
    await world.site(host, `45.83.8.${i}`, { handler:
      `({ response }) => { const said = ${JSON.stringify(said)};
        response.setHeader('x-echo', encodeURI(said));
        ${name === 'in pieces' ? `
        let at = 0;
        const more = () => {
          if (at === said.length) return response.end();
          response.write(said[at++], () => setImmediate(more));
        };
        more();` : 'response.end(said);'} }` });
    await egress.server(5, { rules: [host], budget: PLENTY,
      secrets: [{ ...secrets[0], host }] });
    const tool = await egress.caller(5);
    const result = await tool.fetch(`https://${host}/`);
    assert.equal(result.end, 'OK', `${name}: ${result.error}`);
    assert.ok(result.text.length > 2, name);
    isClean(result.text);
    isClean(JSON.stringify(result.headers));
    await tool.close();
  }
});

test('packed, it is cleaned all the same', async () => {
  const { gzipSync, brotliCompressSync, deflateSync } = await import('node:zlib');
  const packed = { gzip: gzipSync(VALUE), br: brotliCompressSync(VALUE),
    deflate: deflateSync(VALUE) };
  for (const [i, [encoding, bytes]] of Object.entries(packed).entries()) {
    const host = `packed${i}.acme.net`;
    await world.site(host, `45.83.9.${i}`, { handler:
      `({ response }) => {
        response.setHeader('content-encoding', '${encoding}');
        response.end(Buffer.from('${bytes.toString('base64')}', 'base64'));
      }` });
    await egress.server(6, { rules: [host], budget: PLENTY,
      secrets: [{ ...secrets[0], host }] });
    const tool = await egress.caller(6);
    const { end, text, bytes: got } = await tool.fetch(`https://${host}/`,
      { headers: { 'accept-encoding': 'gzip, br, deflate, zstd' } });
    isClean(text);
    assert.ok(end !== 'OK' || !got.equals(bytes), encoding);
    await tool.close();
  }
});

test('a certificate that is wrong gets nothing', async () => {
  await world.name('bad.acme.net', { a: ['45.83.7.70'] });
  await world.https('bad.acme.net', { address: '45.83.7.70', authority: 'other' });
  await egress.server(7, { rules: ['bad.acme.net'],
    secrets: [{ ...secrets[0], host: 'bad.acme.net' }] });
  const tool = await egress.caller(7);
  const result = await tool.fetch('https://bad.acme.net/echo');
  assert.equal(result.end, 'TLS');
  isClean(everything(result));
  assert.deepEqual(await world.requests(), []);
});

test('errors and events do not tell it', async () => {
  const results = [];
  for (const path of ['reset', 'reset/body', 'lie/10/3', 'redirect/302?to=x',
    'status/500', 'raw?b=']) {
    results.push(await caller.fetch(`https://api.acme.net/${path}`));
    results.push(await caller.fetch(`https://query.acme.net/${path}`));
  }
  for (const result of results) {
    isClean(everything(result));
    isClean(everything(result), QUERY);
  }
  isClean(JSON.stringify(egress.events));
  isClean(JSON.stringify(egress.events), QUERY);
  isClean(egress.log);
});

test('it is in no argument, environment or file of the process', async () => {
  const { readFileSync } = await import('node:fs');
  for (const file of ['cmdline', 'environ']) {
    isClean(readFileSync(`/proc/${egress.pid}/${file}`, 'latin1'));
  }
  const status = readFileSync(`/proc/${egress.pid}/limits`, 'utf8');
  assert.match(status, /Max core file size\s+0\s+0/);
});
