// SPDX-License-Identifier: Apache-2.0

// Promise: nothing of one tenant reaches another, and what a token may not see
// looks to it as if it were not there, in words and in time.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { addServer, addTenant, addToken, admin, bearer, everything, modern, noTroubles,
  troubles } from '../lib/strangers.mjs';

let host;
let other;
let narrow;

before(async () => {
  host = await Host.start({ files: { 'secret.js': everything, 'open.js': everything } });
  other = await addTenant(host, 'other');
  await addServer(host, 'theirs', everything, { state: 'approve', token: other.admin });
  narrow = await addToken(host, { servers: ['open'] });
});
after(async () => assert.deepEqual(await troubles(host), noTroubles));

// All that can be asked of a server, at its own endpoint and among all.
const probes = (name) => {
  const inner = [
    ['tools/list'], ['tools/call', { name: 'test_simple_text', arguments: {} }],
    ['resources/list'], ['resources/read', { uri: 'test://static-text' }],
    ['prompts/get', { name: 'test_simple_prompt' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'test_simple_prompt' },
      argument: { name: 'x', value: '' } }],
    ['server/discover'], ['tasks/get', { taskId: '1' }],
  ].map(([method, params]) => [`/s/${name}/mcp`, method, params]);
  const outer = [
    ['tools/call', { name: `${name}__test_simple_text`, arguments: {} }],
    ['prompts/get', { name: `${name}__test_simple_prompt` }],
    ['resources/read', { uri: `cordon:${name}/test://static-text` }],
    ['completion/complete', { ref: { type: 'ref/resource',
      uri: `cordon:${name}/test://template/{id}/data` }, argument: { name: 'id', value: '' } }],
    ['tasks/get', { taskId: `cordon:${name}/1` }],
    ['tasks/cancel', { taskId: `cordon:${name}/1` }],
  ].map(([method, params]) => ['/mcp', method, params]);
  return [...inner, ...outer];
};

async function asked(name, token) {
  const answers = [];
  for (const [path, method, params] of probes(name)) {
    const { status, text } = await modern(host.url + path, token, method, params);
    answers.push([method, status, text.replaceAll(name, 'NAME')]);
  }
  if (token === host.token) return answers;
  answers.push(await modern(`${host.url}/s/${name}/mcp`, token, 'subscriptions/listen',
    { notifications: { toolsListChanged: true } })
    .then(({ status, text }) => [status, text.replaceAll(name, 'NAME')]));
  for (const method of ['GET', 'DELETE', 'OPTIONS', 'PUT']) {
    for (const path of [`/s/${name}/mcp`, `/s/${name}/`, `/s/${name}`, `/t/other/s/${name}/mcp`,
      `/t/local/s/${name}/mcp`, `/t/nobody/s/${name}/mcp`]) {
      const response = await fetch(host.url + path, { method, headers: bearer(token) });
      answers.push([method, path.replace(name, 'NAME'), response.status,
        (await response.text()).replaceAll(name, 'NAME')]);
    }
  }
  return answers;
}

describe('a server that a token may not see', () => {
  test('is answered for like one that is not there', async () => {
    for (const [who, token] of [['another tenant', other.caller], ['its admin', other.admin],
      ['a narrower token', narrow]]) {
      assert.deepEqual(await asked('secret', token), await asked('nowher', token), who);
    }
    // Who may, gets it all.
    const seen = await asked('secret', host.token);
    assert.match(seen[1][2], /simple text response/);
  });

  test('is in no list and no message', async () => {
    for (const token of [other.caller, other.admin, narrow]) {
      for (const method of ['tools/list', 'prompts/list', 'resources/list',
        'resources/templates/list', 'server/discover']) {
        const { text } = await modern(`${host.url}/mcp`, token, method);
        assert.doesNotMatch(text, /secret/, method);
      }
      // To tokens of "local" /metrics names the servers of all (SECURITY.md).
      for (const path of ['/nothing', '/s/nothing/mcp', '/t/local/mcp/nothing',
        ...token === narrow ? [] : ['/metrics']]) {
        const response = await fetch(host.url + path, { headers: bearer(token) });
        assert.doesNotMatch(await response.text(), /secret/, path);
      }
    }
    const { text } = await modern(`${host.url}/mcp`, host.token, 'tools/list');
    assert.match(text, /secret__test_simple_text/);
    assert.match((await modern(`${host.url}/mcp`, other.caller, 'tools/list')).text,
      /theirs__test_simple_text/);
  });

  test('takes no other time to refuse', async () => {
    const took = async (name) => {
      const from = process.hrtime.bigint();
      await modern(`${host.url}/mcp`, other.caller, 'tools/call',
        { name: `${name}__test_simple_text`, arguments: {} });
      return Number(process.hrtime.bigint() - from) / 1000;
    };
    const times = { secret: [], nowher: [] };
    for (let i = 0; i < 200; i++) {
      for (const name of Object.keys(times)) times[name].push(await took(name));
    }
    const [a, b] = Object.values(times).map((all) => all.sort((x, y) => x - y)[50]);
    assert.ok(Math.max(a, b) < 1.5 * Math.min(a, b) + 200, `${a} µs and ${b} µs`);
  });
});

describe('an admin of another tenant', () => {
  // Each: what to do to `secret`, and the like of one's own.
  const deeds = (name, tenant) => [
    ['GET', `/servers/${name}${tenant}`], ['POST', `/servers/${name}/deny${tenant}`],
    ['POST', `/servers/${name}/approve${tenant}`],
    ['POST', `/servers/${name}/restart${tenant}`], ['GET', `/servers/${name}/logs${tenant}`],
    ['DELETE', `/servers/${name}${tenant}`],
  ];

  test('can do nothing to what is not its own', async () => {
    for (const tenant of ['', '?tenant=local', '?tenant=other&tenant=local',
      '?tenant=%6cocal', '?tenant=LOCAL']) {
      for (const [method, path] of deeds('secret', tenant)) {
        const { status } = await admin(host, method, path, undefined, other.admin);
        assert.ok([400, 403, 404].includes(status), `${method} ${path}: ${status}`);
      }
      for (const [method, path, body] of [
        ['GET', `/servers${tenant}`], ['GET', `/tokens${tenant}`], ['GET', '/tenants'],
        ['GET', `/audit${tenant}`], ['GET', `/runtime${tenant}`],
        ['POST', `/tokens${tenant}`, { name: 'mine', scopes: ['read'], tenant: 'local' }],
        ['POST', '/tenants', { name: 'another' }],
        ['PATCH', '/tenants/local', { quota: { concurrent: 1 } }],
        ['PATCH', '/tenants/other', { quota: {} }], ['DELETE', '/tenants/local'],
        ['DELETE', '/tokens/1'], ['GET', '/audit/verify'],
      ]) {
        const { status, text } = await admin(host, method, path, body, other.admin);
        // Its own book holds what it tried, by the names that it used.
        const told = path.startsWith('/audit') ? /"tenant":(1|"local")/ : /secret|stranger-3/;
        assert.doesNotMatch(text, told, `${method} ${path}`);
        assert.ok(method === 'GET' || status >= 400, `${method} ${path}: ${status} ${text}`);
      }
    }
    const { state } = await admin(host, 'GET', '/servers/secret');
    assert.equal(state, 'approved');
  });

  test('rules over its own', async () => {
    await addServer(host, 'passing', everything, { token: other.admin });
    for (const [method, path] of deeds('passing', '')) {
      const { status, text } = await admin(host, method, path, undefined, other.admin);
      assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
    }
  });

  test('and a caller rules over nothing', async () => {
    for (const token of [other.caller, narrow]) {
      for (const [method, path] of deeds('open', '')) {
        assert.equal((await admin(host, method, path, undefined, token)).status, 403);
      }
      assert.equal((await admin(host, 'POST', '/tokens',
        { name: 'more', scopes: ['admin'] }, token)).status, 403);
    }
  });
});

describe('what an admin sends', () => {
  test('is what the description says, or is refused', async () => {
    const server = (what) => ['/servers', { name: 'new', kind: 'isolate',
      files: [{ path: 'a.js', text: 'export default {}' }], ...what }];
    const file = (path) => server({ files: [{ path, text: 'x' }] });
    const bad = [
      ...['', 'A', 'Open', '-a', '.', '..', 'a/b', 'a\0', 'a b', 'ореn', 'o\u0301pen',
        'a'.repeat(64), '__proto__', '%61', 7, null, {}].map((name) => server({ name })),
      ...['../a.js', '/etc/passwd', 'a/../../b.js', './a.js', 'a//b.js', '..',
        '', 'a\0.js', `${'a/'.repeat(600)}b.js`].map(file),
      server({ more: 1 }), server({ kind: 'root' }), server({ kind: ['isolate'] }),
      server({ files: [] }), server({ files: {} }), server({ files: [{ path: 'a.js' }] }),
      server({ files: [{ path: 'a.js', base64: '!!' }] }),
      server({ files: [{ path: 'a.js', text: 'x' }, { path: 'a.js', text: 'y' }] }),
      server({ socket: '/tmp/x' }), server({ pool_max: 1e99 }), server({ pool_max: -1 }),
      server({ pool_max: 1.5 }), server({ pool_max: '4' }), server({ reuse: 4294967297 }),
      server({ limits: { memory_bytes: 18446744073709551616 } }),
      server({ limits: { cpu_ms: -5 } }), server({ limits: { more: 1 } }),
      server({ limits: [] }), ['/servers', { name: 'new', kind: 'socket', socket: 'relative' }],
      ['/servers', { name: 'new', kind: 'socket', socket: `/${'a'.repeat(200)}` }],
      ['/servers', '{"name":"new","name":"open"}'], ['/servers', '[]'], ['/servers', '{'],
      ['/servers', '['.repeat(100_000)], ['/servers', 'null'],
      ['/tokens', { name: 'x', scopes: ['root'] }], ['/tokens', { name: 'x', scopes: 'admin' }],
      ['/tokens', { name: 'x', scopes: [] }], ['/tokens', { name: 'x' }],
      ['/tokens', { name: 'x\n', scopes: ['read'] }],
      ['/tokens', { name: 'x', scopes: ['read'], expires: -1 }],
      ['/tokens', { name: 'x', scopes: ['read'], expires: 1e300 }],
      ['/tokens', { name: 'x', scopes: ['read'], tenant: 'nobody' }],
      ['/tokens', { name: 'x', scopes: ['read'], quota: { concurrent: -1 } }],
      ['/tenants', { name: 'X' }], ['/tenants', { name: 'x', quota: { more: 1 } }],
      ['/tenants', { name: 'local' }],
    ];
    for (const [path, body] of bad) {
      const { status, text, error } = await admin(host, 'POST', path, body);
      assert.ok([400, 404, 409, 413, 422].includes(status),
        `${path} ${JSON.stringify(body).slice(0, 200)}: ${status} ${text}`);
      assert.ok(error.length > 10 && !/[\0-\x1f\x7f]/.test(error), text);
    }
    for (const after of ['?after=x', '?after=-1', '?after=99999999999999999999', '?limit=0x9',
      '?limit=-1', '?more=1']) {
      const { status } = await admin(host, 'GET', `/audit${after}`);
      assert.ok(status === 400, `${after}: ${status}`);
    }
    const [path, body] = server({ name: 'new' });
    assert.equal((await admin(host, 'POST', path, body)).status, 201);
    assert.equal((await admin(host, 'DELETE', '/servers/new')).status < 300, true);
  });
});
