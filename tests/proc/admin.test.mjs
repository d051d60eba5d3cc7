// SPDX-License-Identifier: Apache-2.0

// The commands that speak to a host, against one that is none: what they ask,
// what they make of each answer, and that no stranger's text reaches the
// terminal raw.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeHost, TOKEN, sendJson } from './fake-host.mjs';

const always = (status, value) => (_, response) =>
  sendJson(response, status, value);

test('asks with the token, and shows servers as a table', async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const host = await FakeHost.start(t, always(200, { servers: [
    { name: 'a', state: 'approved', kind: 'isolate', origin: 'folder',
      tenant: 'local', digest: '0123456789abcdef', created: now - 7200 },
    { name: 'longer', state: 'quarantined', kind: 'socket', origin: 'admin',
      tenant: 'local', digest: null, created: now - 5 },
  ] }));
  const { code, stdout, stderr } = await host.run('upstream', 'list');
  assert.deepEqual([code, stderr], [0, '']);
  const [head, first, second] = stdout.split('\n');
  assert.match(head, /^NAME {4}STATE {8}KIND/);
  assert.match(first, /^a {7}approved {5}isolate {2}folder {2}local {3}0123456789ab {2}2h ago {2}-$/);
  assert.match(second, /^longer {2}quarantined {2}socket .* - .*s ago {2}-$/);
  const [request] = host.requests;
  assert.deepEqual([request.method, request.url], ['GET', '/admin/servers']);
  assert.equal(request.headers.authorization, `Bearer ${TOKEN}`);
});

test('--json is what the host says, in a line', async (t) => {
  const said = '{"servers": [ {"name":"a","big":12345678901234567890} ]}';
  const host = await FakeHost.start(t, always(200, said));
  const { code, stdout } = await host.run('upstream', 'list', '--json');
  assert.deepEqual([code, stdout], [0, `${said}\n`]);
});

test('nothing of a stranger reaches the terminal raw', async (t) => {
  const evil = '\u001b[2Jgone\u202ednib\u009b31m\r\nfake line\u0007\u200b';
  const host = await FakeHost.start(t, ({ url }, response) => {
    if (url.includes('/logs')) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.end(`${JSON.stringify({ time: evil, level: evil, text: evil })}\n`);
    } else if (url === '/mcp') {
      sendJson(response, 200, { jsonrpc: '2.0', id: 1, result: {
        content: [{ type: 'text', text: evil }],
        tools: [{ name: evil, description: evil }],
      } });
    } else if (url.startsWith('/admin/tokens')) {
      sendJson(response, 409, { error: evil });
    } else {
      sendJson(response, 200, { servers: [{ name: evil, state: evil,
        tenant: [evil], created: 1 }], principals: [{ name: evil }] });
    }
  });
  const commands = [['upstream', 'list'], ['upstream', 'list', '--json'],
    ['upstream', 'logs', 'a'], ['upstream', 'logs', 'a', '--json'],
    ['tools'], ['tools', '--json'], ['call', 'x'], ['call', 'x', '--json'],
    ['top', '--once'], ['top', '--once', '--json'], ['token', 'list']];
  for (const words of commands) {
    const { stdout, stderr } = await host.run(...words);
    const text = stdout + stderr;
    assert.match(text, /gone/, `${words}: the text is not there at all`);
    // What call prints may have lines of its own; nothing else.
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202e]/,
      words.join(' '));
    if (words[0] !== 'call') assert.doesNotMatch(text, /^fake line/m);
  }
});

test('a refusal is the host\'s sentence, and exit code 1', async (t) => {
  for (const status of [400, 403, 404, 409, 429, 503]) {
    const host = await FakeHost.start(t,
      always(status, { error: `because of ${status}` }));
    const { code, stdout, stderr } = await host.run('upstream', 'approve', 'a');
    assert.deepEqual([code, stdout, stderr],
      [1, '', `cordon upstream: because of ${status}\n`]);
  }
});

test('an answer that is none is told as such', async (t) => {
  const host = await FakeHost.start(t, ({ url }, response, request) => {
    if (url === '/admin/tokens') response.writeHead(500).end('<h1>no</h1>');
    else request.socket.destroy();
  });
  const html = await host.run('token', 'list');
  assert.deepEqual([html.code, html.stderr],
    [1, 'cordon token: the host answered HTTP 500\n']);
  const cut = await host.run('tenant', 'list');
  assert.equal(cut.code, 70);
  assert.match(cut.stderr, /^cordon tenant: .*admin\.sock: /);
});

test('no host: says how to start one, exit code 3', async (t) => {
  const host = await FakeHost.start(t, always(200, {}));
  await host.close();
  const { code, stderr } = await host.run('top', '--once');
  assert.equal(code, 3);
  assert.match(stderr, /no host answers at .*admin\.sock; start one with: cordon serve/);
});

test('a token file that others can read is not used', async (t) => {
  const host = await FakeHost.start(t, always(200, { servers: [] }));
  chmodSync(join(host.state, 'token'), 0o644);
  const { code, stderr } = await host.run('upstream', 'list');
  assert.equal(code, 2);
  assert.match(stderr, /can be read by others/);
  assert.equal(host.requests.length, 0);
});

test('the token never goes over a network in the clear', async (t) => {
  const host = await FakeHost.start(t, always(200, {}));
  for (const url of ['http://192.0.2.1:7330', 'http://host.example',
    'ftp://localhost', 'http://user:pw@localhost', 'localhost:7330', '']) {
    const { code, stderr } = await host.run('upstream', 'list', '--url', url);
    assert.equal(code, 2, url);
    assert.match(stderr, /in the clear|is no URL/, url);
  }
});

test('add sends a file, a folder, a socket, with what was said of them', async (t) => {
  const host = await FakeHost.start(t,
    always(201, { name: 'a', state: 'quarantined' }));
  const folder = join(host.state, 'bundle');
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.js'), 'export default {} // é\n');
  writeFileSync(join(folder, 'data.bin'), Buffer.from([0xff, 0, 1]));

  const added = await host.run('upstream', 'add', 'a', join(folder, 'index.js'),
    '--timeout-cpu', '2s', '--memory', '64MiB', '--pool-max', '3',
    '--jitless', '--no-warmup', '--tenant', 'acme');
  assert.deepEqual([added.code, added.stdout], [0,
    'a is quarantined: nobody sees or calls it until: cordon upstream approve a\n']);
  assert.equal(host.requests[0].method, 'POST');
  assert.equal(host.requests[0].url, '/admin/servers?tenant=acme');
  assert.deepEqual(JSON.parse(host.requests[0].body), {
    name: 'a', kind: 'isolate',
    files: [{ path: 'index.js', text: 'export default {} // é\n' }],
    pool_max: 3, jit: false, warmup: false,
    limits: { cpu_ms: 2000, memory_bytes: 64 << 20 },
  });

  await host.run('upstream', 'add', 'b', folder);
  const { files } = JSON.parse(host.requests[1].body);
  assert.deepEqual(files.map(({ path }) => path).sort(), ['data.bin', 'index.js']);
  assert.equal(files.find(({ path }) => path === 'data.bin').base64, '/wAB');

  await host.run('upstream', 'add', 'c', '--socket', '/run/c.sock', '--share', 'session');
  assert.deepEqual(JSON.parse(host.requests[2].body),
    { name: 'c', kind: 'socket', socket: '/run/c.sock', share: 'session' });
});

test('what cannot be right is refused without asking', async (t) => {
  const host = await FakeHost.start(t, always(200, {}));
  for (const words of [['upstream', 'add', 'a'], ['upstream', 'add', '../a', '/etc'],
    ['upstream', 'add', 'a', '/nowhere'], ['upstream', 'add', 'a', '--socket', 'rel'],
    ['upstream', 'add', 'a', '--socket', '/s', '--share', 'world'],
    ['upstream', 'approve', 'a/../b'], ['upstream', 'approve', 'A'],
    ['upstream', 'approve'], ['upstream', 'frobnicate', 'a'],
    ['token', 'revoke', '1?x=1'], ['tenant', 'set', 'a'],
    ['upstream', 'list', '--tenant', 'a&b=c'], ['tools', '..'],
    ['call', 'x', '{'], ['call', 'x', '[1]'], ['audit'],
    ['upstream', 'list', '--url', 'http://localhost', '--admin-socket', '/x']]) {
    const { code, stdout, stderr } = await host.run(...words);
    assert.deepEqual([code, stdout], [2, ''], `${words}: ${stderr}`);
    assert.notEqual(stderr, '', words.join(' '));
  }
  assert.equal(host.requests.length, 0);
});

test('each verb asks for what it says', async (t) => {
  const host = await FakeHost.start(t, always(200, {}));
  const cases = [
    [['upstream', 'approve', 'a'], 'POST', '/admin/servers/a/approve'],
    [['upstream', 'deny', 'a'], 'POST', '/admin/servers/a/deny'],
    [['upstream', 'remove', 'a'], 'DELETE', '/admin/servers/a'],
    [['upstream', 'restart', 'a', '--tenant', 't'], 'POST', '/admin/servers/a/restart?tenant=t'],
    [['upstream', 'logs', 'a'], 'GET', '/admin/servers/a/logs?follow=0'],
    [['token', 'list'], 'GET', '/admin/tokens'],
    [['token', 'revoke', '7'], 'DELETE', '/admin/tokens/7'],
    [['tenant', 'create', 't', '--requests', '60'], 'POST', '/admin/tenants',
      { name: 't', quota: { requests_per_minute: 60 } }],
    [['tenant', 'set', 't', '--cpu', '3s', '--memory', '1MiB'], 'PATCH', '/admin/tenants/t',
      { quota: { cpu_ms_per_minute: 3000, memory_bytes: 1048576 } }],
    [['tenant', 'remove', 't'], 'DELETE', '/admin/tenants/t'],
    [['top', '--once'], 'GET', '/admin/runtime'],
  ];
  for (const [words, method, url, body] of cases) {
    const { code, stderr } = await host.run(...words);
    assert.deepEqual([code, stderr], [0, ''], words.join(' '));
    const request = host.requests.at(-1);
    assert.deepEqual([request.method, request.url], [method, url]);
    if (body) assert.deepEqual(JSON.parse(request.body), body);
  }
});

test('a new token is printed, alone, on standard output', async (t) => {
  const token = `cordon_${'x'.repeat(43)}`;
  const host = await FakeHost.start(t, always(201, { id: 3, name: 'ci', token }));
  const { code, stdout } = await host.run('token', 'create', 'ci',
    '--scope', 'call', '--server', 'a', '--server', 'b', '--expires', '2h',
    '--concurrent', '4');
  assert.deepEqual([code, stdout], [0, `${token}\n`]);
  assert.deepEqual(JSON.parse(host.requests[0].body), { name: 'ci',
    scopes: ['call'], servers: ['a', 'b'], expires: 7200,
    quota: { concurrent: 4 } });
});

test('call: text, progress, and the exit codes of cordon run', async (t) => {
  const results = {
    ok: { content: [{ type: 'text', text: 'one\ntwo' },
      { type: 'image', mimeType: 'image/png', data: '' }] },
    thrown: { isError: true, content: [{ type: 'text', text: 'it threw' }] },
    slow: { isError: true, content: [], structuredContent: { error: { code: 'timeout' } } },
    asks: { resultType: 'input_required', inputRequests: {} },
  };
  const host = await FakeHost.start(t, ({ body }, response) => {
    const { params } = JSON.parse(body);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': comment\r\n\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress",' +
      '"params":{"progressToken":1,"progress":1,"total":2,"message":"half"}}\r\n\r\n');
    response.end(params.name === 'broken' ? '' :
      `data: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: results[params.name] })}\n\n`);
  });
  const ok = await host.run('call', 'ok', '{"a":1}');
  assert.deepEqual([ok.code, ok.stdout, ok.stderr],
    [0, 'one\ntwo\n[image image/png; --json shows it]\n', '... 1/2 half\n']);
  const { headers, body, url } = host.requests[0];
  assert.equal(url, '/mcp');
  assert.deepEqual(
    [headers['mcp-protocol-version'], headers['mcp-method'], headers['mcp-name']],
    ['2026-07-28', 'tools/call', 'ok']);
  assert.deepEqual(JSON.parse(body).params.arguments, { a: 1 });
  assert.equal((await host.run('call', 'thrown')).code, 10);
  assert.equal((await host.run('call', 'slow')).code, 11);
  assert.equal((await host.run('call', 'asks')).code, 1);
  assert.equal((await host.run('call', 'broken')).code, 70);
  const raw = await host.run('call', '--json', '-s', 'srv', 'ok');
  assert.deepEqual(JSON.parse(raw.stdout), results.ok);
  assert.equal(host.requests.at(-1).url, '/s/srv/mcp');
});

test('call: a name that no header can hold is encoded', async (t) => {
  const host = await FakeHost.start(t,
    always(200, { jsonrpc: '2.0', id: 1, error: { code: -32602, message: 'no such tool' } }));
  const { code, stderr } = await host.run('call', 'naïve');
  assert.deepEqual([code, stderr.endsWith('cordon call: no such tool\n')], [1, true]);
  assert.equal(host.requests[0].headers['mcp-name'],
    `=?base64?${Buffer.from('naïve').toString('base64')}?=`);
});

test('call: asks again with the headers that a tool wants', async (t) => {
  const host = await FakeHost.start(t, ({ body, headers }, response) => {
    const { id, method } = JSON.parse(body);
    if (method === 'tools/list') {
      sendJson(response, 200, { jsonrpc: '2.0', id, result: { tools: [{ name: 'x', inputSchema: {
        type: 'object', properties: { a: { type: 'string', 'x-mcp-header': 'A' } } } }] } });
    } else if (headers['mcp-param-a'] === 'b') {
      sendJson(response, 200, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'yes' }] } });
    } else {
      sendJson(response, 400, { jsonrpc: '2.0', id, error: { code: -32020, message: 'Mcp-Param-A is missing' } });
    }
  });
  assert.deepEqual(await host.run('call', 'x', '{"a":"b"}'), { code: 0, stdout: 'yes\n', stderr: '' });
  assert.equal(host.requests.length, 3);
  const refused = await host.run('call', 'x', '{"a":"c"}');
  assert.deepEqual([refused.code, refused.stderr], [1, 'cordon call: Mcp-Param-A is missing\n']);
});

test('audit: pages to the end, verifies, and says what is broken', async (t) => {
  const all = Array.from({ length: 1203 }, (_, i) =>
    ({ number: i + 1, time: 1, tenant: 1, tenant_name: 'local', principal: 2,
      principal_name: i === 1202 ? '' : 'alice', action: 'tools/call', detail: { n: i },
      request: '' }));
  let whole = true;
  const host = await FakeHost.start(t, ({ url }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (pathname === '/admin/audit/verify') {
      sendJson(response, 200, whole ? { ok: true, checked: 1203 } :
        { ok: false, checked: 10, broken: 11 });
      return;
    }
    const after = Number(searchParams.get('after'));
    const limit = Number(searchParams.get('limit'));
    sendJson(response, 200, { records: all.slice(after, after + limit), newest: all.length });
  });
  const exported = await host.run('audit', 'export');
  assert.equal(exported.code, 0);
  assert.deepEqual(exported.stdout.trimEnd().split('\n').map((line) => JSON.parse(line)), all);
  const tail = await host.run('audit', 'tail', '-n', '3');
  assert.deepEqual(tail.stdout.trimEnd().split('\n').map((line) => line.split(' ')[0]),
    ['NO', '1201', '1202', '1203']);
  assert.deepEqual(tail.stdout.trimEnd().split('\n').map((line) => line.split(/  +/))
    .map(([, , tenant, who, , , request]) => [tenant, who, request]),
  [['TENANT', 'WHO', 'REQUEST'], ['local', 'alice', '-'], ['local', 'alice', '-'],
    ['local', '-', '-']]);
  assert.equal((await host.run('audit', 'verify')).stdout, 'The chain is whole: 1203 records.\n');
  whole = false;
  const broken = await host.run('audit', 'verify');
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /BROKEN at record 11/);
});
