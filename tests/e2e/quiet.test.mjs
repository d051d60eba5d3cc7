// SPDX-License-Identifier: Apache-2.0

// A stream that says nothing for long is kept open by comments, and what the
// server itself says is not changed by them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';

const quiet = `
  const encoder = new TextEncoder();
  export default {
    async fetch(request) {
      if (await request.text() !== 'quiet') return new Response('no');
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(encoder.encode('data: first\\n\\n'));
          await new Promise((resolve) => setTimeout(resolve, 17_000));
          controller.enqueue(encoder.encode('data: last\\n\\n'));
          controller.close();
        },
      });
      return new Response(body,
        { headers: { 'content-type': 'text/event-stream' } });
    },
  };`;

let host;

before(async () => {
  host = await Host.start({ files: { 'quiet.js': quiet } });
});

after(() => host.stop());

test('a comment comes within 15 seconds of silence', async () => {
  const response = await host.page('quiet', '/page', { method: 'POST', body: 'quiet' });
  const text = await response.text();
  const events = text.split(/\r?\n\r?\n/).filter((event) => /^data:/m.test(event));
  assert.deepEqual(events.map((event) => /data: (\w+)/.exec(event)[1]),
    ['first', 'last']);
  assert.match(text, /^:/m, `no comment in ${JSON.stringify(text)}`);
});
