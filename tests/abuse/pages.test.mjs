// SPDX-License-Identifier: Apache-2.0

// Promise: no web page calls a server from somebody's browser, whatever it is
// named and wherever its name points to; the operator's own pages may.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { everything, noTroubles, troubles } from '../lib/strangers.mjs';

const APP = 'https://app.example';
let host;

before(async () => {
  host = await Host.start({ files: { 'isolate.js': everything },
    config: { origins: [APP], hosts: ['tools.example'] } });
});
after(async () => assert.deepEqual(await troubles(host), noTroubles));

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

// As a browser sends it: Host is what the page's URL says.
const send = (headers, { path = '/s/isolate/mcp', method = 'POST', token = host.token } = {}) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(host.url);
    const sent = request({ hostname, port, path, method, headers: {
      'content-type': 'application/json', host: `127.0.0.1:${port}`,
      ...token ? { authorization: `Bearer ${token}` } : {}, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (more) => { text += more; })
        .on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    });
    sent.on('error', reject).end(method === 'POST' ? PING : undefined);
  });

const evil = ['http://evil.example', 'https://evil.example', 'null', 'file://', '', ' ',
  'http://localhost.evil.example', 'http://evil.example#localhost', 'http://127.0.0.1.evil.example',
  'http://evil@localhost', 'http://localhost@evil.example', 'http://localhost:80:80',
  'http://0x7f000001.evil', 'https://app.example.evil', 'https://evil-app.example',
  'https://xapp.example', 'https://app.example:444', 'http://app.example', 'https://app.example/',
  'https://app.example https://evil.example', 'https://app.example, https://evil.example',
  'chrome-extension://abc', 'moz-extension://abc', 'http://[::1].evil', 'http://localhost/x',
  'javascript:alert(1)', 'http://loca\u0142host'];

describe('a page from elsewhere', () => {
  for (const path of ['/s/isolate/mcp', '/mcp', '/admin/servers', '/metrics', '/s/isolate/x']) {
    test(`cannot call ${path}, with the token or without`, async () => {
      for (const origin of evil) {
        for (const token of [host.token, null]) {
          for (const method of ['POST', 'GET', 'DELETE', 'OPTIONS']) {
            const { status, headers, text } = await send(
              { origin: Buffer.from(origin).toString('latin1') }, { path, method, token });
            assert.ok([400, 403].includes(status), `${method} from '${origin}': ${status} ${text}`);
            assert.equal(headers['access-control-allow-origin'], undefined, origin);
          }
        }
      }
    });
  }

  test('is told nothing by a preflight either', async () => {
    const { status, headers } = await send({ origin: evil[0],
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization' }, { method: 'OPTIONS', token: null });
    assert.equal(status, 403);
    assert.deepEqual(Object.keys(headers).filter((name) => /^access-control/.test(name)), []);
  });

  test('whose name points here is refused by its Host', async () => {
    for (const name of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil', 'evil@localhost',
      'localhost:x', 'localhost,evil', 'tools.example.evil', 'xtools.example',
      '0.0.0.0', '192.168.0.1', '[::2]', '[::1', '127.1.evil', 'localhost/', '@', ':80']) {
      const { status } = await send({ host: name }).catch(() => ({ status: 400 }));
      assert.ok([400, 403].includes(status), `${name}: ${status}`);
    }
    for (const name of ['localhost', '127.0.0.1', '[::1]', 'tools.example', 'TOOLS.example:443']) {
      assert.equal((await send({ host: name })).status, 200, name);
    }
  });

  test('cannot pass as a form or a plain text', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x', 'application/jsonx', 'text/plain; application/json']) {
      assert.equal((await send({ 'content-type': type })).status, 415, type);
    }
  });
});

describe('the operator\'s pages', () => {
  test('may call, with the token, and read the answer', async () => {
    for (const origin of [APP, 'http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:8080']) {
      const { status, headers } = await send({ origin });
      assert.equal(status, 200, origin);
      assert.equal(headers['access-control-allow-origin'], origin);
      assert.notEqual(headers['access-control-allow-credentials'], 'true');
      assert.match(headers.vary ?? '', /origin/i);
      assert.equal((await send({ origin }, { token: null })).status, 401);
    }
  });

  test('are told by a preflight what they may send', async () => {
    const { status, headers } = await send({ origin: APP, 'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, mcp-session-id' },
    { method: 'OPTIONS', token: null });
    assert.ok([200, 204].includes(status));
    assert.equal(headers['access-control-allow-origin'], APP);
    assert.match(headers['access-control-allow-headers'], /authorization/i);
  });
});
