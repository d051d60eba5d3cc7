// SPDX-License-Identifier: Apache-2.0

// What egress tells the gateway, and what becomes of it: whose it was, counts,
// lines of the server, the audit, the log that is followed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway } from './fake-gateway.mjs';
import { FRAME, SCOPE } from './fake-store.mjs';

const OK = 0, NO_RULE = 2, ADDRESS = 3, CONNECT = 6, CELL = 1, LINK = 2;

let gateway;
before(async () => {
  gateway = await Gateway.start('-v', (store) => {
    store.usual();
    store.tenant(2, 'acme');
    store.token(2, 'acmes', { tenant: 2, scopes: SCOPE.all, name: 'acme-admin' });
    store.server(9, 'theirs', { tenant: 2 });
    store.snapshot();
  });
  await gateway.connectEgress();
});
after(async () => assert.equal(await gateway.stop(), 0));

const lines = (text) => text.split('\n').filter(Boolean).map((one) => JSON.parse(one));

async function log(query = '', token = 'letmein') {
  const answer = await gateway.answer(`/admin/egress/log${query}`,
    { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/x-ndjson');
  return lines(answer.text);
}

// The events with this host, once they are there.
async function told(host, n = 1, query = '') {
  let found;
  await gateway.until(async () => {
    found = (await log(query)).filter((one) => one.host === host);
    return found.length >= n;
  });
  return found;
}

const sample = async (name) => {
  const text = (await gateway.answer('/metrics')).text;
  const line = text.split('\n').find((one) => one.startsWith(`cordon_${name} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
};

const audits = () => gateway.store.frames.filter(({ type, action }) =>
  type === FRAME.AUDIT && action === 'egress/refused');

test('an event has whose it was, and what', async () => {
  const call = await gateway.post('/s/tools/mcp', { jsonrpc: '2.0', id: 1,
    method: 'tools/call', params: { name: 'echo', arguments: {} } });
  const cells = await gateway.metric('calls_total');
  gateway.tell({ unit: CELL, number: cells, status: 200, method: 'GET',
    host: 'a.example.com', path: '/v1/x', bytes_in: 1234, bytes_out: 56, ms: 7 });
  const [event] = await told('a.example.com');
  const { time, ...rest } = event;
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, { tenant: 'local', server: 'tools', unit: 'cell',
    request: call.headers.get('x-request-id'), call: 'echo', principal: 'first',
    verdict: 'allowed', end: 'ok', method: 'GET', scheme: 'https',
    host: 'a.example.com', port: 443, path: '/v1/x', status: 200,
    bytes_in: 1234, bytes_out: 56, ms: 7 });
});

test('one of no call that is known has its server all the same', async () => {
  gateway.tell({ unit: CELL, number: 4_000_000, host: 'b.example.com' },
    { unit: LINK, number: 77, host: 'b.example.com', scheme: 4, port: 5432 },
    { deployment: 4000, host: 'b.example.com' },
    { deployment: 4_000_000_000, host: 'b.example.com' });
  const events = await told('b.example.com', 4);
  assert.deepEqual(events.map(({ server, unit }) => [server, unit]),
    [['tools', 'cell'], ['tools', 'link'], [undefined, 'host'], [undefined, 'host']]);
  assert.ok(events.every(({ request, call, principal }) => !request && !call && !principal));
  assert.equal(events[1].scheme, 'tcp');
});

test('a refusal is a warning of the server, and in the audit', async () => {
  const before = audits().length;
  const why = 'no rule allows it: add "https://c.example.com"';
  gateway.tell({ end: NO_RULE, refused: 1, method: 'POST', host: 'c.example.com',
    path: '/x', text: why });
  const [event] = await told('c.example.com');
  assert.equal(event.verdict, 'refused');
  assert.equal(event.end, 'no_rule');
  assert.equal(event.text, why);
  await gateway.until(() => audits().length > before);
  const record = audits().at(-1);
  assert.deepEqual(JSON.parse(record.json), { server: 'tools', verdict: 'refused',
    end: 'no_rule', method: 'POST', scheme: 'https', host: 'c.example.com',
    port: 443, path: '/x', why });

  const logs = lines((await gateway.answer('/admin/servers/tools/logs')).text);
  const line = logs.find(({ text }) => /c\.example\.com/.test(text));
  assert.equal(line.level, 'warn');
  assert.match(line.text, /^egress refused: POST https:\/\/c\.example\.com:443\/x: no rule/);
  gateway.tell({ end: CONNECT, host: 'd.example.com', text: 'nobody is there' },
    { end: OK, host: 'd.example.com', status: 204 });
  await told('d.example.com', 2);
  const more = lines((await gateway.answer('/admin/servers/tools/logs')).text)
    .filter(({ text }) => /d\.example\.com/.test(text)).map(({ level }) => level);
  assert.deepEqual(more, ['info', 'debug']);
  assert.equal(audits().length, before + 1, 'what merely failed is in the audit');
});

test('is counted, by server and by end', async () => {
  const count = (end) =>
    sample(`egress_requests_total{tenant="local",server="fetch",end="${end}"}`);
  assert.equal(await count('ok'), undefined);
  gateway.tell(...Array.from({ length: 3 }, () => ({ deployment: 2, host: 'e.example.com',
    bytes_in: 100, bytes_out: 10 })),
  { deployment: 2, host: 'e.example.com', end: ADDRESS, refused: 1 },
  { deployment: 2, host: 'e.example.com', end: NO_RULE, refused: 1, scheme: 0, port: 0, lost: 5 });
  const events = await told('e.example.com', 5);
  assert.equal(events.at(-1).scheme, 'dns');
  assert.equal(events.at(-1).lost, 5);
  assert.equal(await count('ok'), 3);
  assert.equal(await count('address'), 1);
  assert.equal(await count('no_rule'), undefined);
  const of = 'tenant="local",server="fetch"';
  assert.equal(await sample(`egress_names_total{${of},end="no_rule"}`), 1);
  assert.equal(await sample(`egress_refused_total{${of}}`), 2);
  assert.equal(await sample(`egress_bytes_total{${of},direction="in"}`), 300);
  assert.equal(await sample(`egress_bytes_total{${of},direction="out"}`), 30);
  assert.equal(await sample('egress_events_lost_total'), 5);
  assert.equal(await sample('egress_up'), 1);
});

test('a flood of refusals costs neither log nor audit', async () => {
  const [auditsBefore, bytesBefore] = [audits().length, gateway.log.length];
  const n = 20_000;
  for (let i = 0; i < n; i += 500)
    gateway.tell(...Array.from({ length: 500 }, () => ({ deployment: 3, end: NO_RULE,
      refused: 1, host: 'flood.example.com' })));
  await gateway.until(async () => await sample(
    'egress_refused_total{tenant="local",server="broken"}') === n);
  assert.ok(audits().length - auditsBefore <= 40, `${audits().length} audits`);
  assert.ok(gateway.log.length - bytesBefore < 200_000, 'the log is flooded');
  assert.ok((await log()).length < n);
});

test('who says much pushes out its own, not what is known of others', async () => {
  gateway.tell({ deployment: 4, host: 'quiet.example.com' });
  await told('quiet.example.com');
  const before = await sample('egress_requests_total{tenant="local",server="broken",end="ok"}') ?? 0;
  const n = 20_000;
  for (let i = 0; i < n; i += 500)
    gateway.tell(...Array.from({ length: 500 }, (_, j) => ({ deployment: 3,
      host: 'loud.example.com', path: `/${i + j}` })));
  await gateway.until(async () => await sample(
    'egress_requests_total{tenant="local",server="broken",end="ok"}') === before + n);
  const all = await log();
  assert.ok(all.some(({ host }) => host === 'quiet.example.com'));
  const loud = all.filter(({ host }) => host === 'loud.example.com');
  assert.ok(loud.length < n, 'all of it is kept');
  assert.equal(loud.at(-1).path, `/${n - 1}`);
});

test('is followed, and filtered', async () => {
  const [answer] = await Promise.all([fetchLines('?follow=1&server=late&refused=1')]);
  gateway.tell({ deployment: 4, host: 'f.example.com' },
    { deployment: 2, host: 'f.example.com', end: NO_RULE, refused: 1 },
    { deployment: 4, host: 'g.example.com', end: NO_RULE, refused: 1 });
  const event = await answer.next();
  assert.deepEqual([event.server, event.host], ['late', 'g.example.com']);
  answer.stop();
  assert.deepEqual((await log('?server=late&refused=1')).map(({ host }) => host),
    ['g.example.com']);
  // No more than there may be, and a place is free again once one left.
  const many = [];
  for (let i = 0; i < 16; i++) many.push(await fetchLines('?follow=1&server=liar'));
  assert.equal((await gateway.answer('/admin/egress/log?follow=1')).status, 503);
  for (const one of many) one.stop();
  await gateway.until(async () => {
    const again = await fetchLines('?follow=1&server=liar');
    again.stop();
    return again.status === 200;
  });
});

test('a tenant sees its own', async () => {
  gateway.tell({ deployment: 9, host: 'theirs.example.com' },
    { deployment: 1, host: 'ours.example.com' });
  await told('theirs.example.com');
  await told('ours.example.com');
  const theirs = await log('', 'acmes');
  assert.deepEqual(theirs.map(({ host }) => host), ['theirs.example.com']);
  assert.equal((await gateway.answer('/admin/egress/log?tenant=local',
    { headers: { authorization: 'Bearer acmes' } })).status, 404);
  assert.deepEqual((await log('?tenant=acme')).map(({ host }) => host),
    ['theirs.example.com']);
  const metrics = (await gateway.answer('/metrics',
    { headers: { authorization: 'Bearer acmes' } })).text;
  assert.match(metrics, /egress_requests_total\{tenant="acme",server="theirs"/);
  assert.doesNotMatch(metrics, /server="tools"|egress_up/);
});

test('hostile words move no terminal', async () => {
  gateway.tell({ host: 'h.example.com', path: '/\x1b[2J\u202e"\\\n', method: 'G\x07T',
    text: Buffer.from([0xff, 0xfe, 0x1b]), end: NO_RULE, refused: 1 });
  const [event] = await told('h.example.com');
  assert.equal(event.path, '/\x1b[2J\u202e"\\\n');
  const raw = (await gateway.answer('/admin/egress/log')).text;
  assert.doesNotMatch(raw, /\x1b|\x07/);
  assert.doesNotMatch(gateway.log, /\x1b\[2J/);
});

test('egress goes and comes; nonsense is not heard', async () => {
  gateway.egress.destroy();
  await gateway.until(async () => await sample('egress_up') === 0);
  await gateway.until(() => gateway.log.includes('egress is gone'));
  await gateway.connectEgress();
  gateway.tell({ host: 'i.example.com' });
  await told('i.example.com');

  const event = gateway.event({ host: 'j.example.com' });
  const broken = [
    [(b) => b.writeUInt32LE(64, 0), 'a type that it does not say'],
    [(b) => b.writeUInt32LE(7, gateway.layout['frame.len']), 'a wrong length'],
    [(b) => b.writeUInt32LE(0xffffffff, gateway.layout['frame.len']), 'a huge length'],
    [(b) => b.writeUInt32LE(99, gateway.layout.frame + 12), 'an end that is none'],
    [(b) => b.fill(0x61, gateway.layout.frame + gateway.layout['event.host'],
      gateway.layout.frame + gateway.layout['event.path']), 'a host without an end'],
  ];
  for (const [breakIt, what] of broken) {
    await gateway.connectEgress();
    const bytes = Buffer.from(event);
    breakIt(bytes);
    gateway.egress.write(bytes);
    await gateway.egressClosed.catch(() => {});
    assert.equal((await gateway.answer('/readyz')).status, 200, what);
  }
  // Piece by piece is the same as at once; a second stream takes over.
  await gateway.connectEgress();
  const old = gateway.egress;
  await gateway.connectEgress();
  await new Promise((done) => { old.on('close', done); if (old.closed) done(); });
  const whole = gateway.event({ host: 'k.example.com' });
  for (let at = 0; at < whole.length; at += 97)
    gateway.egress.write(whole.subarray(at, at + 97));
  await told('k.example.com');
  assert.equal((await log()).filter(({ host }) => host === 'j.example.com').length, 0);
});

// Follows: { status, next() a line, stop() }.
async function fetchLines(query) {
  const abort = new AbortController();
  const response = await gateway.fetch(`/admin/egress/log${query}`, { signal: abort.signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return { status: response.status, stop: () => abort.abort(),
    async next() {
      for (;;) {
        const end = text.indexOf('\n');
        if (end > 0) {
          const line = JSON.parse(text.slice(0, end));
          text = text.slice(end + 1);
          return line;
        }
        text = end === 0 ? text.slice(1) : text;
        const { value, done } = await reader.read();
        if (done) throw new Error('it ended');
        text += value;
      }
    } };
}
