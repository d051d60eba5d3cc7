// SPDX-License-Identifier: Apache-2.0

// The door: who may come in, what is refused, and how it is said.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, initializeParams, messageOf, post, rpc, valueOf } from '../lib/mcp.mjs';
import { files } from './servers.mjs';

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize',
  params: initializeParams };

let host;

before(async () => {
  host = await Host.start({ files });
});

after(() => host.stop());

// fetch() does not let one set Host; this does.
function raw(path, { method = 'POST', headers = {}, body = '' } = {}) {
  const { hostname, port } = new URL(host.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers }, (got) => {
      let text = '';
      got.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
      got.on('end', () => resolve({ status: got.statusCode, headers: got.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('authorization', () => {
  test('is asked for by default', async () => {
    const response = await post(host, 'plain', initialize,
      { authorization: '' });
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate'), /^Bearer/);
  });

  test('a token that is nearly right is wrong', async () => {
    const { token } = host;
    const flipped = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a');
    for (const wrong of [flipped, `${token}x`, token.slice(0, -1), '', 'null']) {
      const response = await post(host, 'plain', initialize,
        { authorization: `Bearer ${wrong}` });
      assert.equal(response.status, 401, wrong);
    }
  });

  test('comes before anything is told of the servers', async () => {
    const response = await post(host, 'no-such-server', initialize,
      { authorization: '' });
    assert.equal(response.status, 401);
  });
});

describe('origins and hosts', () => {
  test('a foreign Origin is refused', async () => {
    for (const origin of ['https://evil.example', 'null',
      'http://127.0.0.1.evil.example', 'http://localhost.evil.example']) {
      const response = await post(host, 'plain', initialize, { origin });
      assert.equal(response.status, 403, origin);
    }
  });

  test('a foreign Host is refused: DNS rebinding', async () => {
    const headers = { ...host.headers, host: 'evil.example',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream' };
    const { status } = await raw('/s/plain/mcp',
      { headers, body: JSON.stringify(initialize) });
    assert.ok(status === 403 || status === 421, `status ${status}`);
  });

  test('a local Origin may come in', async () => {
    const response = await post(host, 'plain', initialize,
      { origin: host.url });
    assert.equal(response.status, 200);
  });
});

describe('paths, methods and bodies', () => {
  test('an unknown server is 404', async () => {
    assert.equal((await post(host, 'no-such-server', initialize)).status, 404);
  });

  test('paths that climb find nothing', async () => {
    for (const path of ['/s/../mcp', '/s/plain/../../etc/passwd', '/s/%2e%2e/mcp',
      '/s/plain%00/mcp', '/s//mcp', '/', '/s/plain/mcp/..%2f..']) {
      const { status } = await raw(path, { headers: host.headers });
      assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
    }
  });

  test('a body over the cap is 413', async () => {
    const response = await post(host, 'plain',
      `{"jsonrpc":"2.0","id":1,"method":"ping","x":"${'x'.repeat(40 << 20)}"}`)
      .catch((error) => ({ status: 0, error }));
    // A client that is still sending may see the close instead.
    if (response.status !== 0) assert.equal(response.status, 413);
    else assert.match(String(response.error.cause), /EPIPE|ECONNRESET|other side closed/);
    assert.equal((await rpc(host, 'plain', 'ping')).status, 200);
  });

  test('a declared length over the cap is 413 before the body', async () => {
    const headers = { ...host.headers, 'content-type': 'application/json',
      'content-length': String(1 << 30), accept: 'application/json' };
    const { hostname, port } = new URL(host.url);
    const status = await new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path: '/s/plain/mcp',
        method: 'POST', headers }, (got) => {
        got.resume();
        resolve(got.statusCode);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.flushHeaders();
    });
    assert.equal(status, 413);
  });

  test('what is not JSON is a parse error', async () => {
    const response = await post(host, 'plain', '{"jsonrpc":');
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error.code, -32700);
  });

  test('what is no request is an invalid request', async () => {
    const response = await post(host, 'plain', '{"jsonrpc":"2.0"}');
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error.code, -32600);
  });

  test('an unknown method is told by its code', async () => {
    const { error } = await rpc(host, 'plain', 'no/such/method');
    assert.equal(error.code, -32601);
  });

  test('a notification is accepted without an answer', async () => {
    const response = await post(host, 'plain',
      { jsonrpc: '2.0', method: 'notifications/initialized' });
    assert.equal(response.status, 202);
    assert.equal(await response.text(), '');
  });

  test('the id comes back as it was', async () => {
    for (const id of ['a"b', 0, -1, 9007199254740991]) {
      const response = await post(host, 'plain',
        { jsonrpc: '2.0', id, method: 'ping' });
      assert.deepEqual((await messageOf(response)).id, id);
    }
  });

  test('a bad MCP-Protocol-Version is 400', async () => {
    const response = await post(host, 'plain',
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      { 'mcp-protocol-version': '1999-01-01' });
    assert.equal(response.status, 400);
  });
});

describe('the modern revision', () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'e2e', version: '1' },
  };
  const modern = (method, params = {}, headers = {}) =>
    post(host, 'plain',
      { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } },
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...headers });

  test('server/discover says what is spoken', async () => {
    const response = await modern('server/discover');
    const { result } = await messageOf(response);
    assert.equal(response.status, 200);
    assert.ok(result.supportedVersions.includes('2026-07-28'));
    assert.equal(result.resultType, 'complete');
    assert.equal(typeof result.ttlMs, 'number');
  });

  test('headers that disagree with the body are refused', async () => {
    const response = await modern('tools/list', {}, { 'mcp-method': 'ping' });
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error.code, -32020);
  });

  test('an unknown method is 404', async () => {
    const response = await modern('no/such/method');
    assert.equal(response.status, 404);
    assert.equal((await messageOf(response)).error.code, -32601);
  });
});

describe('a server with its own fetch', () => {
  const send = (body, init = {}) =>
    host.page('worker', '/page', { method: 'POST', body, ...init });

  test('gets the request as it came, and its response goes back', async () => {
    const response = await send('x'.repeat(1000),
      { headers: { 'x-mine': 'yes' } });
    assert.equal(response.status, 418);
    assert.equal(response.headers.get('x-own'), 'kept');
    const { method, path, names, length } = await response.json();
    assert.deepEqual([method, length], ['POST', 1000]);
    assert.match(path, /\/page$/);
    assert.ok(names.includes('x-mine'));
  });

  test('never sees the token that opened the door', async () => {
    const { names } = await (await send('x')).json();
    assert.ok(!names.includes('authorization'), names.join());
    assert.ok(!names.includes('cookie'), names.join());
  });

  test('streams events as they are made', async () => {
    const response = await send('events');
    assert.match(response.headers.get('content-type'), /text\/event-stream/);
    const decoder = new TextDecoder();
    const arrived = [];
    let text = '';
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      arrived.push(performance.now());
    }
    const numbers = [...text.matchAll(/data: \{"n":(\d)\}/g)].map(([, n]) => n);
    assert.deepEqual(numbers, ['1', '2', '3', '4', '5']);
    assert.ok(arrived.at(-1) - arrived[0] > 100, 'it came in one piece');
  });

  test('a client that goes away ends the call', async () => {
    const abort = new AbortController();
    const pending = send('never', { signal: abort.signal });
    setTimeout(() => abort.abort(), 200);
    await assert.rejects(pending, { name: 'AbortError' });
    assert.equal((await send('x')).status, 418);
  });
});

describe('calls', () => {
  test('a large answer within the limit arrives whole', async () => {
    const text = 'é'.repeat(300_000);
    const result = await callTool(host, 'plain', 'echo', { text });
    assert.equal(valueOf(result), text);
  });

  test('an answer over the limit is an error', async () => {
    const text = 'x'.repeat(1_200_000);
    const result = await callTool(host, 'plain', 'echo', { text });
    assert.equal(result.isError, true);
    assert.match(JSON.stringify(result), /result_too_large/);
  });

  test('keys named __proto__ pass through', async () => {
    const response = await post(host, 'plain',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",' +
      '"arguments":{"text":"x","__proto__":{"isError":true}}}}');
    const { result } = await messageOf(response);
    assert.equal(valueOf(result), 'x');
    assert.ok(!result.isError);
  });
});
