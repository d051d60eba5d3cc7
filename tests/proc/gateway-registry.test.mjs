// SPDX-License-Identifier: Apache-2.0

// Who comes in, and to what: as the store says, from the moment it says so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway, modern } from './fake-gateway.mjs';
import { FRAME, SCOPE, STATE } from './fake-store.mjs';

const rpc = (method, params = {}, id = 1) => ({ jsonrpc: '2.0', id, method, params });
const bearer = (token) => ({ authorization: `Bearer ${token}` });

// Starts one, and ends it whatever happens.
function gatewayTest(name, ...rest) {
  const run = rest.pop();
  test(name, async () => {
    const gateway = await Gateway.start(...rest);
    try {
      await run(gateway, gateway.store);
      assert.equal(await gateway.stop(), 0, gateway.log);
    } finally {
      gateway.child.kill('SIGKILL');
    }
  });
}

const status = async (gateway, token, path = '/s/tools/mcp') => {
  const response = await gateway.post(path, rpc('ping'), bearer(token));
  await response.text();
  return response.status;
};

// What was said to the store has arrived when its counter has.
const settled = (gateway, condition) => gateway.until(condition);

gatewayTest('before the first snapshot nobody is served, probes say so', null,
  async (gateway) => {
    const early = await gateway.answer('/s/tools/mcp', { method: 'POST' });
    assert.equal(early.status, 503);
    assert.equal(early.headers['retry-after'], '1');
    assert.match(early.json.error, /starting/);
    assert.equal((await gateway.answer('/readyz')).text, 'starting\n');
    assert.equal((await gateway.answer('/healthz')).status, 200);
    const store = await gateway.connectStore();
    store.usual();
    assert.equal((await gateway.answer('/readyz')).status, 503, 'half a snapshot');
    store.snapshot();
    await settled(gateway, async () => await status(gateway, 'letmein') === 200);
  });

gatewayTest('a token holds until the very moment that it does not',
  async (gateway, store) => {
    store.token(2, 'second', { scopes: SCOPE.read });
    store.token(3, 'brief', { expires: Math.floor(Date.now() / 1000) + 3 });
    await settled(gateway, async () => await status(gateway, 'second') === 200);
    assert.equal(await status(gateway, 'brief'), 200);
    assert.equal(await status(gateway, 'third'), 401);
    store.token(2, 'second', { gone: 1 });
    await settled(gateway, async () => await status(gateway, 'second') === 401);
    await settled(gateway, async () => await status(gateway, 'brief') === 401);
    assert.equal(await status(gateway, 'letmein'), 200);
    store.token(1, 'other'); // the same principal, another secret
    await settled(gateway, async () => await status(gateway, 'other') === 200);
    assert.equal(await status(gateway, 'letmein'), 401);
    store.token(1, 'letmein');
  });

gatewayTest('a revoked token ends the streams that it opened', async (gateway, store) => {
  store.token(2, 'second');
  await settled(gateway, async () => await status(gateway, 'second') === 200);
  const headers = bearer('second');
  const hello = await gateway.post('/s/tools/mcp', rpc('initialize',
    { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }), headers);
  const session = hello.headers.get('mcp-session-id');
  await hello.text();
  const stream = await gateway.fetch('/s/tools/mcp', { headers: { ...headers,
    accept: 'text/event-stream', 'mcp-session-id': session,
    'mcp-protocol-version': '2025-06-18' } });
  assert.equal(stream.status, 200);
  store.token(2, 'second', { gone: 1 });
  await stream.text(); // to its end
  assert.equal(await status(gateway, 'second'), 401);
});

gatewayTest('what is unknown, not approved, or another tenant\'s looks the same',
  async (gateway, store) => {
    store.tenant(2, 'acme');
    store.token(2, 'theirs', { tenant: 2 });
    store.server(10, 'new', { state: STATE.quarantined });
    store.server(11, 'changed', { state: STATE.changed });
    store.server(12, 'denied', { state: STATE.denied });
    store.server(13, 'acmes', { tenant: 2 });
    await settled(gateway, async () =>
      await status(gateway, 'theirs', '/s/acmes/mcp') === 200);
    const answers = new Set();
    for (const name of ['none', 'new', 'changed', 'denied', 'acmes']) {
      for (const path of [`/s/${name}/mcp`, `/s/${name}/page`,
        `/t/local/s/${name}/mcp`, `/t/acme/s/${name}/mcp`]) {
        const answer = await gateway.answer(path, { method: 'POST' });
        assert.equal(answer.status, 404, path);
        answers.add(answer.text.replaceAll(name, 'NAME')
          .replace(/'[^']*'/, 'PATH'));
      }
    }
    assert.equal(answers.size, 1, [...answers].join());
    assert.ok(![...answers][0].includes('acme'));
    assert.equal(await status(gateway, 'letmein', '/t/local/s/tools/mcp'), 200);
    assert.equal(await status(gateway, 'letmein', '/t/local/mcp'), 200);
    assert.equal(await status(gateway, 'theirs', '/t/local/mcp'), 404);
    assert.equal(await status(gateway, 'theirs', '/t/acme/mcp'), 200);
    assert.equal(await status(gateway, 'theirs', '/s/tools/mcp'), 404);

    store.server(10, 'new');
    await settled(gateway, async () => await status(gateway, 'letmein', '/s/new/mcp') === 200);
    store.server(10, 'new', { state: STATE.denied });
    await settled(gateway, async () => await status(gateway, 'letmein', '/s/new/mcp') === 404);
    store.server(1, 'tools', { gone: 1 });
    await settled(gateway, async () => await status(gateway, 'letmein') === 404);
    store.tenant(2, 'acme', { gone: 1 });
    await settled(gateway, async () => await status(gateway, 'theirs', '/mcp') === 401);
  });

gatewayTest('a token reaches what is on its list, and does what its scopes say',
  async (gateway, store) => {
    store.token(2, 'reads', { scopes: SCOPE.read, servers: 'fetch,tools' });
    store.token(3, 'admins', { scopes: SCOPE.admin });
    await settled(gateway, async () => await status(gateway, 'reads') === 200);
    assert.equal(await status(gateway, 'reads', '/s/late/mcp'), 404);
    const page = await gateway.answer('/s/fetch/page', { headers: bearer('reads') });
    assert.equal(page.status, 403);
    assert.match(page.headers['www-authenticate'],
      /^Bearer error="insufficient_scope", scope="call", resource_metadata="/);
    const admin = await gateway.answer('/admin/runtime', { headers: bearer('reads') });
    assert.equal(admin.status, 403);
    assert.match(admin.headers['www-authenticate'], /scope="admin"/);
    const mcp = await gateway.answer('/mcp', { method: 'POST', headers: bearer('admins') });
    assert.equal(mcp.status, 403);
    assert.match(mcp.headers['www-authenticate'], /scope="read"/);
    assert.equal((await gateway.answer('/metrics', { headers: bearer('admins') })).status, 200);
  });

gatewayTest('it serves on without a store, and a second snapshot is the whole truth',
  async (gateway, store) => {
    store.token(2, 'second');
    store.server(10, 'more');
    await settled(gateway, async () => await status(gateway, 'second', '/s/more/mcp') === 200);
    await store.kill();
    await settled(gateway, () => gateway.log.includes('the store is away'));
    assert.equal(await status(gateway, 'second', '/s/more/mcp'), 200);
    assert.equal((await gateway.answer('/readyz')).status, 200);
    assert.equal((await gateway.call('echo', { a: 1 })).result.structuredContent.a, 1);
    const changed = await gateway.answer('/admin/tokens');
    assert.equal(changed.status, 503);
    assert.equal(changed.headers['retry-after'], '1');

    (await gateway.connectStore()).usual();
    assert.equal(await status(gateway, 'second', '/s/more/mcp'), 200, 'not over yet');
    gateway.store.snapshot();
    await settled(gateway, async () => await status(gateway, 'second') === 401);
    assert.equal(await status(gateway, 'letmein', '/s/more/mcp'), 404);
    assert.equal(await status(gateway, 'letmein'), 200);
    assert.equal(await gateway.metric('store_connects_total'), 2);
  });

gatewayTest('a session that was ended stays ended for the next store', '-v',
  (store) => store.usual().snapshot(),
  async (gateway, store) => {
    const hello = await gateway.post('/s/tools/mcp', rpc('initialize',
      { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }));
    await hello.text();
    const headers = { 'mcp-session-id': hello.headers.get('mcp-session-id'),
      'mcp-protocol-version': '2025-06-18' };
    const gone = await gateway.fetch('/s/tools/mcp', { method: 'DELETE', headers });
    assert.ok(gone.status < 300, `${gone.status}`);
    await settled(gateway, () => store.frames.some(({ type }) => type === FRAME.ENDED));
    const again = await gateway.post('/s/tools/mcp', rpc('ping'), headers);
    assert.equal(again.status, 404);
    await store.kill();
    (await gateway.connectStore()).usual().snapshot(); // does not know of it
    await settled(gateway, () =>
      gateway.store.frames.some(({ type }) => type === FRAME.ENDED));
    assert.ok(!gateway.log.includes(headers['mcp-session-id']), 'it is in the log');
  });

gatewayTest('a store that says what no store says is heard no more', async (gateway) => {
  const lies = {
    'an unknown frame': (store) => store.frame(99),
    'a frame of the other direction': (store) => store.frame(FRAME.ADMIN, Buffer.alloc(700)),
    'a length that is wrong': (store) => store.frame(FRAME.KEY, Buffer.alloc(31)),
    'a length without end': (store) => store.frame(FRAME.REPLY, Buffer.alloc(0), { len: 0xffffffff }),
    'a string without end': (store) => store.frame(FRAME.TENANT, Buffer.alloc(gateway.layout.tenant, 'x')),
    'a state that is none': (store) => store.server(5, 'x', { state: 7 }),
    'an id beyond the table': (store) => store.server(1 << 20, 'x'),
    'a token of no tenant': (store) => store.token(9, 'x', { tenant: 77 }),
    'two tokens with one hash': (store) => { store.token(8, 'same'); store.token(9, 'same'); },
    'two servers of one name': (store) => { store.server(20, 'twin'); store.server(21, 'twin'); },
    'scopes that are none': (store) => store.token(9, 'x', { scopes: 8 }),
  };
  for (const [what, lie] of Object.entries(lies)) {
    const { store } = gateway;
    lie(store);
    await Promise.race([store.ended, new Promise((_, reject) =>
      setTimeout(() => reject(new Error(`it took ${what}`)), 5000).unref())]);
    assert.equal(await status(gateway, 'letmein'), 200, what);
    (await gateway.connectStore()).usual().snapshot();
  }
  await settled(gateway, async () => await status(gateway, 'letmein') === 200);
});

gatewayTest('frames arrive in any pieces', async (gateway, store) => {
  const { socket } = store;
  socket.setNoDelay?.(true);
  const bytes = [];
  store.raw = (chunk) => bytes.push(chunk);
  store.token(2, 'drip');
  delete store.raw;
  for (const byte of Buffer.concat(bytes)) {
    await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
  }
  await settled(gateway, async () => await status(gateway, 'drip') === 200);
});

gatewayTest('the audit waits for its store, and says when it could not',
  async (gateway, store) => {
    const audits = (of) => of.frames.filter(({ type }) => type === FRAME.AUDIT);
    await gateway.call('echo');
    await settled(gateway, () => audits(store).length > 0);
    const [record] = audits(store);
    assert.equal(record.principal, 1);
    assert.match(record.request, /^[0-9a-f]{16}$/);
    assert.equal(typeof JSON.parse(record.json), 'object');
    const numbers = (of) => audits(of).map(({ sequence }) => sequence);
    await gateway.call('echo');
    await settled(gateway, () => audits(store).length > 1);
    assert.deepEqual(numbers(store), [1, 2]);
    // One is durable, and one of another life means nothing.
    store.kept(record);
    store.kept({ boot: Buffer.alloc(12), sequence: 9 });

    await store.kill();
    await settled(gateway, () => gateway.log.includes('the store is away'));
    await gateway.call('text');
    (await gateway.connectStore()).usual().snapshot();
    await settled(gateway, () =>
      audits(gateway.store).some(({ json }) => json.includes('text')));
    assert.deepEqual(numbers(gateway.store), [2, 3]);
    gateway.store.kept({ boot: record.boot, sequence: 3 });

    await gateway.store.kill();
    const dropped = () => gateway.metric('audit_dropped_total');
    const name = 'x'.repeat(100);
    const batch = Array.from({ length: 64 }, (_, i) =>
      rpc('tools/call', { name: 'echo', arguments: { name } }, i));
    while (await dropped() === 0) {
      await (await gateway.post('/s/tools/mcp', batch)).text();
    }
    assert.match(gateway.log, /the audit has gaps/);
    (await gateway.connectStore()).usual().snapshot();
    await settled(gateway, () => audits(gateway.store).length > 1000);
    const bytes = audits(gateway.store).reduce((sum, { payload }) => sum + payload.length, 0);
    assert.ok(bytes <= 4 << 20, `${bytes} bytes waited`);
  });

gatewayTest('quotas: 429 with the seconds to wait, tenant and token apart',
  async (gateway, store) => {
    store.token(2, 'two', { quota: { requests_per_minute: 2 } });
    await settled(gateway, async () => await gateway.metric('tokens') === 2);
    assert.equal(await status(gateway, 'two'), 200);
    assert.equal(await status(gateway, 'two'), 200);
    const over = await gateway.answer('/s/tools/mcp',
      { method: 'POST', headers: bearer('two') });
    assert.equal(over.status, 429);
    const wait = Number(over.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 120, `${wait}`);
    assert.match(over.json.error, /requests_per_minute of this token/);
    assert.equal(await status(gateway, 'letmein'), 200);

    store.tenant(1, 'local', { quota: { concurrent: 1 } });
    await settled(gateway, async () => {
      const slow = gateway.post('/s/tools/mcp', rpc('tools/call', { name: 'slow' }));
      const second = await gateway.post('/s/tools/mcp', rpc('tools/call', { name: 'text' }));
      await second.text();
      await (await slow).text();
      return second.status === 429 && second.headers.get('retry-after') !== null;
    });
    assert.equal((await gateway.call('text')).status, 200, 'there is room again');
  });

gatewayTest('streams: others find connections, whoever holds many',
  async (gateway, store) => {
    store.tenant(2, 'others');
    store.token(2, 'second');
    store.token(3, 'theirs', { tenant: 2 });
    await settled(gateway, async () => await gateway.metric('tokens') === 3);
    const cut = new AbortController();
    const open = []; // a response that nobody holds is collected, and ends
    const [message, headers] = modern('subscriptions/listen', { notifications: {} });
    const listen = (token) => gateway.fetch('/mcp', { method: 'POST', signal: cut.signal,
      headers: { 'content-type': 'application/json', accept: 'text/event-stream, application/json',
        ...headers, ...bearer(token) }, body: JSON.stringify(message) });
    // How many streams it gets, and what the next is told.
    const openAll = async (token) => {
      for (let n = 0; n < 128; n++) {
        const response = await listen(token);
        if (response.status !== 200) {
          return [n, response.status, Number(response.headers.get('retry-after')) >= 1,
            (await response.json()).error];
        }
        open.push(response);
      }
      return null;
    };
    const [n, ...refused] = await openAll('letmein');
    assert.deepEqual([n, ...refused.slice(0, 2)], [69, 429, true]); // of 128
    assert.match(refused[2], /connections of this token/);
    assert.deepEqual((await openAll('second')).slice(0, 3), [24, 429, true]);
    const theirs = await listen('theirs');
    assert.equal(theirs.status, 200);
    assert.equal((await gateway.answer('/healthz')).status, 200);
    assert.equal((await gateway.answer('/admin/runtime')).status, 200);
    assert.equal((await gateway.answer('/mcp')).status, 429);
    cut.abort(); // then there is room again: for a GET that lacks its session
    const get = () => gateway.answer('/mcp', { headers: { accept: 'text/event-stream' } });
    await gateway.until(() => get().then(({ status }) => status === 400, () => false));
  });
