// SPDX-License-Identifier: Apache-2.0

// Promise: a Workers-style tool writes its response, never the framing of it:
// the next client on the connection cannot be reached from here.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';

const framer = `
  const encoder = new TextEncoder();
  const endless = () => new ReadableStream({
    pull: (controller) => controller.enqueue(encoder.encode('x'.repeat(65536))),
  });
  export default {
    async fetch(request) {
      const text = await request.text();
      if (text === 'endless') return new Response(endless());
      if (!text.startsWith('{"headers"')) return new Response('no');
      const { headers } = JSON.parse(text);
      return new Response('hello world', { headers });
    },
  };`;

let host;

before(async () => {
  host = await Host.start({ files: { 'framer.js': framer } });
});

after(() => host.stop());

// Below /mcp the host speaks for itself; every other path is the bundle's own.
const post = (body) => host.page('framer', '/page', { method: 'POST', body });
const ask = (headers) => post(JSON.stringify({ headers }));

for (const headers of [{ 'content-length': '5' }, { 'content-length': '500' },
  { 'transfer-encoding': 'identity' }, { connection: 'upgrade', upgrade: 'h2c' },
  { 'keep-alive': 'timeout=0' }, { trailer: 'x' }]) {
  test(`${JSON.stringify(headers)} does not frame the response`, async () => {
    const response = await ask(headers);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), 'hello world');
    for (const [name, value] of Object.entries(headers)) {
      assert.notEqual(response.headers.get(name), value, name);
    }
  });
}

for (const value of ['a\r\nx-evil: 1', 'a\nx-evil: 1', 'a\u0000b']) {
  test(`${JSON.stringify(value)} makes no header of its own`, async () => {
    const response = await ask({ 'x-mine': value });
    assert.equal(response.status, 500);
    assert.equal(response.headers.get('x-evil'), null);
    await response.text();
  });
}

test('a body without an end is cut, and not passed off as whole', async () => {
  const response = await post('endless');
  let bytes = 0;
  await assert.rejects(async () => {
    for await (const chunk of response.body) bytes += chunk.length;
  }, 'the stream ended as if it were complete');
  assert.ok(bytes <= (1 << 20) + 65536, `${bytes} bytes`);
});

test('a control: a header that is its own to set arrives', async () => {
  const response = await ask({ 'x-mine': 'yes' });
  assert.equal(response.headers.get('x-mine'), 'yes');
});
