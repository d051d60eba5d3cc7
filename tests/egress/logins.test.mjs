// SPDX-License-Identifier: Apache-2.0

// Tokens of those who signed in: whose goes where, how many there may be, and
// what the store hears of one that a server does not take.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Egress } from '../lib/egress.mjs';
import { until } from '../lib/processes.mjs';
import { patience } from '../lib/paths.mjs';
import { World } from '../lib/world.mjs';

const URL = 'https://mcp.acme.net';
let world;
let egress;
let gateway;

const login = (principal, value, more) => ({ name: 'OAUTH_TOKEN',
  host: 'mcp.acme.net', value, principal, ...more });
// Taken, when an answer has come the same way.
async function server(id, secrets, more) {
  await egress.server(id, { rules: [URL], budget: { perMinute: 100_000 }, secrets, ...more });
  assert.equal((await egress.ask(id, `${URL}/text`)).text, 'hello');
}
// One of another server, whose news come after all that came before.
let last = 90;
async function settled() {
  last += 1;
  await server(last, [login(0, 'token-of-the-last')]);
  const caller = await egress.caller(last, { kind: 'link' });
  await caller.fetch(`${URL}/status/401`);
  await until('the last rejection', () =>
    egress.rejected.some(({ deployment }) => deployment === last));
  await caller.close();
}
const told = (id) => egress.rejected.filter(({ deployment }) => deployment === id);

before(async () => {
  world = await World.start();
  await world.site('mcp.acme.net', '45.83.7.1');
  await world.name('waits.acme.net', { a: ['45.83.7.2'] });
  await world.https('waits.acme.net', { address: '45.83.7.2', handler:
    ({ request, response }) => {
      const list = globalThis.waiting ??= [];
      if (request.url === '/go') {
        for (const one of list) {
          one.writeHead(401);
          one.end();
        }
        response.end('gone');
      } else {
        list.push(response);
      }
    } });
  egress = await Egress.start(world);
  await server(1, [login(0, 'shared-token-000'), login(7, 'token-of-number-seven')]);
  gateway = await egress.caller(1, { kind: 'link' });
});
after(async () => {
  await egress?.stop();
  await world?.stop();
});

// What the origin sees of it.
async function seen(principal, id) {
  const caller = id === undefined ? gateway : await egress.caller(id, { kind: 'link' });
  await world.forget();
  caller.principal(principal);
  await caller.fetch(`${URL}/echo`);
  if (caller !== gateway) await caller.close();
  const [{ headers }] = await world.requests();
  return headers[headers.findIndex((name) => name.toLowerCase() === 'authorization') + 1];
}

test('a principal\'s own goes, else whoever\'s', async () => {
  assert.equal(await seen(7), 'Bearer token-of-number-seven');
  assert.equal(await seen(8), 'Bearer shared-token-000');
  assert.equal(await seen(0), 'Bearer shared-token-000');
});

test('one that has ended is not replaced by whoever\'s', async () => {
  await server(2, [login(0, 'shared-token-000'), login(7, '')]);
  const caller = await egress.caller(2, { kind: 'link' });
  caller.principal(7);
  await world.forget();
  const { end, error } = await caller.fetch(`${URL}/echo`);
  assert.equal(end, 'SECRET');
  assert.match(error, /cordon upstream login s2 --principal/);
  assert.deepEqual(await world.requests(), []);
  caller.principal(8);
  assert.equal((await caller.fetch(`${URL}/echo`)).end, 'OK');
  await caller.close();
});

test('32 secrets and 256 logins fit a record, and no more', async () => {
  const all = [...Array.from({ length: 32 }, (_, i) => ({ name: `S${i}`,
    host: 'mcp.acme.net', field: `x-s${i}`, template: '{}', value: `value-of-${i}-${'s'.repeat(50)}` })),
  ...Array.from({ length: 256 }, (_, i) =>
    login(i, `token-of-${i}-${'t'.repeat(2000)}`))];
  await server(3, all);
  assert.match(await seen(255, 3), /^Bearer token-of-255-t{2000}$/);
  assert.match(await seen(1, 3), /^Bearer token-of-1-t{2000}$/);
  const caller = await egress.caller(3, { kind: 'link' });
  caller.principal(255);
  // Its own comes back from nowhere, and its answers cost what others' do.
  const { text } = await caller.fetch(`${URL}/echo`);
  assert.doesNotMatch(text, /token-of-255|value-of-/);
  assert.match(text, /\*{2000}/);
  const { size, end } = await caller.fetch(`${URL}/bytes/20000000`, { keep: false });
  assert.deepEqual([end, size], ['OK', 20_000_000]);
  await caller.close();
});

test('a 401 is told to the store: whose, once a second', async () => {
  await server(4, [login(0, 'shared-token-000'), login(7, 'token-of-number-seven')]);
  const caller = await egress.caller(4, { kind: 'link' });
  const begun = Date.now();
  const refused = async (n) => {
    const all = await Promise.all(Array.from({ length: n },
      () => caller.fetch(`${URL}/status/401`)));
    assert.ok(all.every(({ status }) => status === 401));
  };
  caller.principal(7);
  await refused(20);
  caller.principal(8);
  await refused(20);
  await settled();
  const seconds = 1 + Math.floor((Date.now() - begun) / 1000);
  const mine = told(4);
  assert.deepEqual(mine[0], { deployment: 4, principal: 7, name: 'OAUTH_TOKEN' });
  for (const principal of [0, 7]) {
    const n = mine.filter((one) => one.principal === principal).length;
    assert.ok(n >= 1 && n <= seconds, `${n} of ${principal} in ${seconds} s`);
  }
  // And again, when it is refused again.
  await until('another', async () => {
    await refused(1);
    return told(4).filter(({ principal }) => principal === 0).length > 1;
  }, 10_000 * patience);
  await caller.close();
});

test('other answers are not, nor one to whom nothing was sent', async () => {
  await server(5, [login(7, 'token-of-number-seven')]);
  const caller = await egress.caller(5, { kind: 'link' });
  caller.principal(7);
  for (const code of [200, 400, 403, 404, 500]) await caller.fetch(`${URL}/status/${code}`);
  caller.principal(8);
  await caller.fetch(`${URL}/status/401`);
  assert.equal((await egress.ask(5, `${URL}/status/401`, { principal: 7 })).status, 401);
  await settled();
  assert.deepEqual(told(5), []);
});

test('nor one that was replaced while its answer was awaited', async () => {
  const there = { host: 'waits.acme.net' };
  for (const [id, then] of [[6, 'another-token-000'], [7, 'one-token-0000000']]) {
    const rules = { rules: ['https://waits.acme.net'] };
    await server(id, [login(0, 'one-token-0000000', there)], rules);
    const caller = await egress.caller(id, { kind: 'link' });
    const fetch = caller.open('https://waits.acme.net/wait');
    await until('the request', async () => (await world.requests())
      .some(({ url, name }) => name === 'waits.acme.net' && url === '/wait'));
    // The second is the control: the record is another, the token is not.
    await server(id, [login(0, then, there), login(9, 'of-number-nine', there)], rules);
    assert.equal((await egress.ask(id, 'https://waits.acme.net/go')).text, 'gone');
    assert.equal((await fetch.over).status, 401);
    await world.forget();
    await caller.close();
  }
  await settled();
  assert.deepEqual([told(6).length, told(7).length], [0, 1]);
});
