// SPDX-License-Identifier: Apache-2.0

// fetch() of a tool, through a real egress, to origins in a world of their own.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cordonRun } from '../lib/run.mjs';
import { buildTool } from '../../js/build-tool.mjs';
import { patience, root } from '../lib/paths.mjs';
import { World } from '../lib/world.mjs';

let world;
let folder;
let count = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-fetch-'));
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('old.acme.net', '45.83.7.2', { h2: false });
  await world.site('other.net', '45.83.7.3');
  await world.name('inner.acme.net', { a: ['10.0.0.5'] });
  await world.http('inner', { address: '10.0.0.5' });
});
after(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const NETS = ['--net', 'api.acme.net', '--net', 'old.acme.net'];

// Runs a function as a tool, with its first argument; the whole report.
async function report(fn, input = {}, { args = NETS, withinMs = 60_000 } = {}) {
  count += 1;
  const file = join(folder, `tool-${count}.js`);
  writeFileSync(file, `const run = ${fn};\n`);
  const { report: said } = await cordonRun(file, { input: JSON.stringify(input),
    args: ['--timeout-cpu', '5s', ...args], withinMs: withinMs * patience });
  return said;
}

async function result(...args) {
  const said = await report(...args);
  assert.equal(said.ok, true, JSON.stringify(said));
  return said.result;
}

const curl = async (...words) =>
  (await world.run(['curl', '-sS', '--max-time', '20', ...words])).stdout;

for (const [url, version] of [['http://api.acme.net', '1.1'],
  ['https://api.acme.net', '2.0'], ['https://old.acme.net', '1.1']]) {
  test(`${url} hears what was asked for, and answers`, async () => {
    const [status, said] = await result(async ({ url }) => {
      const response = await fetch(`${url}/echo?q=%20`, { method: 'PUT',
        body: 'h\u00e9', headers: { 'X-Own': 'a', 'Host': 'evil.net',
          'cookie': 'c=1' } });
      return [response.status, await response.json()];
    }, { url });
    assert.equal(status, 200);
    assert.equal(said.version, version);
    assert.equal(said.method, 'PUT');
    assert.equal(said.url, '/echo?q=%20');
    assert.equal(said.body, Buffer.from('h\u00e9').toString('latin1'));
    const { names } = said;
    assert.equal(names['x-own'], 'a');
    assert.equal(names.cookie, 'c=1');
    assert.equal(names['content-length'], '3');
    assert.equal(names['content-type'], 'text/plain;charset=UTF-8');
    assert.equal(names['user-agent'], 'cordon');
    assert.equal(names.host ?? names[':authority'], new URL(url).host);
  });
}

test('bodies of every method: none, empty, sent as a stream', async () => {
  const said = await result(async () => {
    const ask = async (init) => {
      const response = await fetch('http://api.acme.net/echo', init);
      const { method, names, body } = await response.json();
      return [method, names['content-length'], names['transfer-encoding'], body];
    };
    return [await ask({}), await ask({ method: 'POST' }),
      await ask({ method: 'POST', body: '' }), await ask({ method: 'DELETE' }),
      await ask({ method: 'POST', duplex: 'half',
        body: new Blob(['streamed']).stream() })];
  });
  assert.deepEqual(said, [['GET', null, null, ''], ['POST', '0', null, ''],
    ['POST', '0', null, ''], ['DELETE', null, null, ''],
    ['POST', null, 'chunked', 'streamed']]);
});

test('megabytes go out and come back as streams', async () => {
  for (const host of ['api', 'old']) {
    const said = await result(async ({ host }) => {
      let left = 40;
      const body = new ReadableStream({ pull(controller) {
        if (left-- === 0)
          controller.close();
        else
          controller.enqueue(new Uint8Array(100000));
      } });
      const up = await fetch(`https://${host}.acme.net/length`,
          { method: 'POST', body, duplex: 'half' });
      const down = await fetch(`https://${host}.acme.net/bytes/5000000`);
      let length = 0;
      for await (const piece of down.body)
        length += piece.length;
      const bytes = await fetch(`https://${host}.acme.net/length`,
          { method: 'POST', body: new Uint8Array(3000000) });
      return [await up.text(), length, await bytes.text()];
    }, { host });
    assert.deepEqual(said, ['4000000', 5000000, '3000000']);
  }
});

test('events are read as they come', async () => {
  const [text, n] = await result(async () => {
    const response = await fetch('https://api.acme.net/events?ms=20');
    const reader = response.body.pipeThrough(new TextDecoderStream())
      .getReader();
    let text = '';
    let n = 0;
    for (; !text.includes('event 4'); n++)
      text += (await reader.read()).value;
    await reader.cancel();
    return [text, n];
  });
  assert.match(text, /^id: 0\ndata: event 0/);
  assert.ok(n > 1, `${n}`);
});

test('an abort ends it, wherever it is', async () => {
  const said = await result(async () => {
    const shown = (error) => error.name;
    const inHead = await fetch('https://api.acme.net/stall-head',
        { signal: AbortSignal.timeout(50) }).catch(shown);
    const controller = new AbortController();
    const response = await fetch('https://api.acme.net/stall-body',
        { signal: controller.signal });
    const text = response.text().catch(shown);
    setTimeout(() => controller.abort(), 20);
    const upload = await fetch('https://api.acme.net/stall-upload',
        { method: 'POST', body: new Uint8Array(8 << 20),
          signal: AbortSignal.timeout(200) }).catch(shown);
    return [inHead, response.status, await text, upload,
      await (await fetch('https://api.acme.net/text')).text()];
  });
  assert.deepEqual(said, ['TimeoutError', 200, 'AbortError', 'TimeoutError',
    'hello']);
});

test('redirects are followed where a rule leads, and no further', async () => {
  const to = (url) => `http://api.acme.net/redirect/302?to=${
    encodeURIComponent(url)}`;
  const allowed = to('https://old.acme.net/text?say=there');
  const other = to('http://other.net/text?say=escaped');
  const inner = to('http://inner.acme.net/text?say=escaped');
  // The control: it is there for whoever follows.
  assert.equal(await curl('-L', other), 'escaped');
  assert.equal(await curl('-L', inner), 'escaped');
  const said = await report(async ({ allowed, other, inner }) => {
    const response = await fetch(allowed);
    const shown = (error) => error.cause.code;
    return [await response.text(), response.url, response.redirected,
      await fetch(other).catch(shown), await fetch(inner).catch(shown),
      (await fetch(other, { redirect: 'manual' })).status];
  }, { allowed, other, inner },
  { args: [...NETS, '--net', 'inner.acme.net'] });
  assert.deepEqual(said.result, ['there', 'https://old.acme.net/text?say=there',
    true, 'NO_RULE', 'ADDRESS', 302]);
  assert.deepEqual(said.logs.filter(({ text }) => /^egress refused/.test(text))
    .map(({ text }) => text.split(': ')[0]),
  ['egress refused GET http://other.net:80/text',
    'egress refused GET http://inner.acme.net:80/text']);
});

test('what is packed is unpacked, and a bomb is none', async () => {
  const bomb = (await world.run(['curl', '-sS', '--compressed', '-o',
    '/dev/null', '-w', '%{size_download}', 'http://api.acme.net/gzip/100000000']));
  assert.ok(Number(bomb.stdout) < 1e6, bomb.stdout); // 100 kB on the wire
  const said = await result(async () => {
    const small = await fetch('https://api.acme.net/gzip/100000');
    const big = await fetch('http://api.acme.net/gzip/100000000');
    let length = 0;
    try {
      for await (const piece of big.body)
        length += piece.length;
    } catch (error) {
      return [(await small.bytes()).length, length, error.message];
    }
    return length;
  });
  assert.equal(said[0], 100000);
  assert.ok(said[1] > 63 << 20 && said[1] <= 64 << 20, `${said[1]}`);
  assert.match(said[2], /decoded, the body is larger than 64 MiB/);
});

test('a bomb that is gathered ends the call as `memory`', async () => {
  const said = await report(async () => {
    const kept = [];
    for (;;)
      kept.push(await (await fetch('http://api.acme.net/gzip/60000000')).bytes());
  }, {}, { args: [...NETS, '--memory', '96MiB'] });
  assert.equal(said.ok, false);
  assert.equal(said.error.code, 'memory');
});

test('a hundred at once, and the budget of a call', async () => {
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, JSON.stringify({ network: {
    allowedDomains: ['https://api.acme.net'], requestsPerCall: 150 } }));
  const many = async () => {
    const all = await Promise.all(Array.from({ length: 100 }, async (_, i) =>
      fetch(`https://api.acme.net/text?say=${i}`).then((r) => r.text(),
          (error) => error.cause.code)));
    return [all.filter((text, i) => text === `${i}`).length,
      all.filter((text) => text === 'BUDGET').length];
  };
  assert.deepEqual(await result(many, {}, { args: ['--policy', policy] }),
      [100, 0]);
  assert.deepEqual(await result(many, {}, { args: NETS }), [50, 50]);
});

test('an origin that cuts, lies or talks nonsense is a TypeError', async () => {
  const said = await result(async () => {
    const code = async (path) => {
      try {
        const response = await fetch(`http://old.acme.net${path}`);
        await response.text();
        return 'answered';
      } catch (error) {
        return [error.name, error.cause.code];
      }
    };
    const codes = [];
    for (const path of ['/reset', '/reset/body', '/lie/100/10',
      '/flood-head', '/raw?b=bm9uc2Vuc2UNCg0K', '/text'])
      codes.push(await code(path));
    return codes;
  });
  assert.deepEqual(said.map((one) => one[0]), ['TypeError', 'TypeError',
    'TypeError', 'TypeError', 'TypeError', 'a']);
});

test('nothing but what was granted: neither names, addresses nor ports',
    async () => {
      assert.equal(await curl('http://10.0.0.5/text'), 'hello');
      const said = await result(async () => {
        const code = (url) => fetch(url).then((r) => r.status,
            (error) => error.cause?.code ?? error.message);
        const codes = [];
        for (const url of ['http://other.net/', 'http://10.0.0.5/',
          'http://api.acme.net:8080/', 'http://45.83.7.1/',
          'http://api.acme.net.other.net/', 'http://127.0.0.1/'])
          codes.push(await code(url));
        return codes;
      });
      assert.deepEqual(said, Array(6).fill('NO_RULE'));
    });

test('a call that only waits for a fetch waits; its end cancels it', async () => {
  await world.forget();
  const said = await result(async () => {
    fetch('https://api.acme.net/stall-head').catch(() => {});
    return (await fetch('https://api.acme.net/late?ms=300')).text();
  });
  assert.equal(said, 'late');
  const stalled = await report(() => fetch('https://api.acme.net/stall-head'), {},
    { args: [...NETS, '--timeout', '500ms'] });
  assert.equal(stalled.error.code, 'timeout');
});

// A small MCP server, out in the world: JSON for one answer, events for another.
async function mcp({ request, response }) {
  let text = '';
  for await (const piece of request)
    text += piece;
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return;
  }
  const { id, method, params } = JSON.parse(text);
  const results = {
    'initialize': { protocolVersion: '2025-06-18', capabilities: { tools: {} },
      serverInfo: { name: 'far', version: '1' } },
    'tools/list': { tools: [{ name: 'say', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text: params?.arguments?.text }] },
  };
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const answer = JSON.stringify({ jsonrpc: '2.0', id, result: results[method] });
  const asEvents = method === 'tools/call';
  response.setHeader('content-type',
      asEvents ? 'text/event-stream' : 'application/json');
  response.end(asEvents ? `event: message\ndata: ${answer}\n\n` : answer);
}

test('the official SDK, bundled as it is, is a client of a far server',
    async () => {
      await world.name('mcp.acme.net', { a: ['45.83.7.9'] });
      await world.https('mcp', { address: '45.83.7.9', handler: mcp,
        certificate: ['mcp.acme.net'] });
      const out = join(folder, 'sdk-client.js');
      await buildTool({ entry: join(root, 'tests/bundles/clients/sdk-client.ts'), out });
      const { report: said, stderr } = await cordonRun(out, { args: ['--tool',
        'ask', '--timeout-cpu', '5s', '--net', 'https://mcp.acme.net'],
      input: JSON.stringify({ url: 'https://mcp.acme.net/mcp' }),
      withinMs: 60_000 * patience });
      assert.equal(said?.ok, true, JSON.stringify(said) + stderr);
      assert.deepEqual(JSON.parse(said.result.content[0].text),
          [['say'], [{ type: 'text', text: 'there and back' }]]);
    });

test('no fetch before a call, and what to do without a way out', async () => {
  const early = `
    let said; fetch('http://api.acme.net/').catch((error) => {
      said = error.cause.code; });
    function run() { return said; }`;
  const file = join(folder, 'early.js');
  writeFileSync(file, early);
  const with_ = await cordonRun(file, { args: NETS, input: '{}' });
  assert.equal(with_.report.result, 'NO_CALL');
  const without = await report(() => fetch('https://api.acme.net/x'), {},
    { args: [] });
  assert.match(without.error.message, /--net api\.acme\.net/);
});
