// SPDX-License-Identifier: Apache-2.0

// The servers that the tests serve: declarative ones written here, and the
// bundles of real SDKs that tests/bundles builds.

import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from '../lib/paths.mjs';

export const bundlesFolder =
  resolve(process.env.CORDON_BUNDLES ?? resolve(build, 'bundles'));

export const bundleNames = !existsSync(bundlesFolder) ? [] :
  readdirSync(bundlesFolder).filter((name) => name.endsWith('.js'))
    .map((name) => name.slice(0, -3)).sort();

const number = { type: 'number' };
const schema = (properties) =>
  JSON.stringify({ type: 'object', properties, required: Object.keys(properties) });

// add and echo, as every bundle has them; and tools that take their time.
export const plain = `
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  export default {
    name: 'plain', version: '1.2.3', title: 'Plain',
    instructions: 'Adds and echoes.',
    tools: {
      add: {
        description: 'Adds two numbers.',
        inputSchema: ${schema({ a: number, b: number })},
        outputSchema: ${schema({ sum: number })},
        run: ({ a, b }) => ({ sum: a + b }),
      },
      echo: {
        description: 'Gives back what it was given.',
        inputSchema: ${schema({ text: { type: 'string' } })},
        run: ({ text }) => text,
      },
      slow: {
        description: 'Answers after a while.',
        inputSchema: ${schema({ ms: number })},
        async run({ ms }) { console.log('begins'); await sleep(ms); return 'slept'; },
      },
      fail: {
        description: 'Throws.',
        inputSchema: { type: 'object' },
        run() { throw new TypeError('it was asked to fail'); },
      },
      spin: {
        description: 'Never ends.',
        inputSchema: { type: 'object' },
        run() { for (;;); },
      },
    },
  };`;

// A Workers-style server: streams events slowly, tells what it was sent.
export const worker = `
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const encoder = new TextEncoder();

  function events(count) {
    return new ReadableStream({
      async start(controller) {
        for (let i = 1; i <= count; i++) {
          controller.enqueue(encoder.encode(\`id: \${i}\\ndata: {"n":\${i}}\\n\\n\`));
          await sleep(60);
        }
        controller.close();
      },
    });
  }

  export default {
    async fetch(request) {
      const body = await request.text();
      if (body === 'events') {
        return new Response(events(5),
          { headers: { 'content-type': 'text/event-stream' } });
      }
      if (body === 'never') return new Promise(() => { setInterval(() => {}, 50); });
      return Response.json({
        method: request.method,
        path: new URL(request.url).pathname,
        names: [...request.headers.keys()].sort(),
        length: body.length,
      }, { status: 418, headers: { 'x-own': 'kept' } });
    },
  };`;

export const files = { 'plain.js': plain, 'worker.js': worker };
