// SPDX-License-Identifier: Apache-2.0

// Sessions of the older revisions, through the whole host: their ends, their
// streams, and that they outlive the gateway.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { messageIn, Session } from '../lib/session.mjs';
import { until } from '../lib/processes.mjs';
import { startEverything } from '../lib/upstreams.mjs';

let all;
let url;
before(async () => {
  all = await startEverything();
  url = all.host.endpoint('isolate');
});
after(async () => {
  const { exit, left } = await all.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

const open = (at = url, options) => Session.open(at, all.host.headers, options);
const textOf = ({ result }) => result?.content?.map(({ text }) => text).join('');

async function works(session, nonce = 'here') {
  assert.equal(textOf(await session.call('test_echo', { nonce })), nonce);
}

// Kills the gateway, and waits for the next to answer.
async function killGateway() {
  const [gateway] = all.host.processes('cordon-gateway');
  process.kill(gateway.pid, 'SIGKILL');
  await until('another gateway', async () => {
    const answer = await fetch(`${all.host.url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200 &&
      all.host.processes('cordon-gateway').some(({ pid }) => pid !== gateway.pid);
  });
}

describe('a session', () => {
  for (const version of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
    test(`of ${version} has an id of visible ASCII, and works`, async () => {
      const session = await open(url, { version });
      assert.equal(session.result.protocolVersion, version);
      assert.match(session.id, /^[\x21-\x7e]+$/);
      await works(session);
    });
  }

  test('ends with DELETE, and is unknown then', async () => {
    const session = await open();
    const other = await open();
    assert.ok([200, 202, 204].includes(await session.end()));
    assert.equal((await session.call('test_simple_text')).status, 404);
    assert.equal((await session.stream()).status, 404);
    assert.equal(await session.end(), 404);
    await works(other);
  });

  test('with a forged id is unknown', async () => {
    const session = await open();
    const flipped = session.id.slice(0, -2) + (session.id.endsWith('AA') ? 'BB' : 'AA');
    for (const id of [flipped, 'x', session.id.slice(0, 20), `${session.id}A`]) {
      const { status } = await session.call('test_simple_text', {},
        { headers: { 'mcp-session-id': id } });
      assert.equal(status, 404, id);
    }
    await works(session);
  });

  test('is of one endpoint', async () => {
    const session = await open();
    const answer = await session.post({ jsonrpc: '2.0', id: 1, method: 'ping' });
    assert.equal(answer.status, 200);
    await answer.body.cancel();
    const elsewhere = await fetch(all.host.endpoint('legacy'), { method: 'POST',
      headers: session.headers,
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) });
    assert.equal(elsewhere.status, 404);
    await elsewhere.body.cancel();
  });

  test('lives on when the gateway is killed; an ended one does not', async () => {
    const session = await open();
    const ended = await open();
    await ended.end();
    await killGateway();
    await works(session);
    assert.equal((await ended.call('test_simple_text')).status, 404);
  });
});

describe('its streams', () => {
  test('begin with an event that can be resumed from (2025-11-25)', async () => {
    const session = await open();
    const { status, response, events } = await session.stream();
    assert.equal(status, 200);
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    const { value } = await events.next();
    assert.notEqual(value.id ?? '', '');
    await events.return();
  });

  test('bring what a tool said meanwhile, then its answer', async () => {
    const session = await open();
    const { before: said, result } = await session.request('tools/call',
      { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 'p' } });
    assert.deepEqual(said.map(({ params }) => [params.progressToken, params.progress]),
      [['p', 0], ['p', 50], ['p', 100]]);
    assert.ok(result);
  });

  test('keep the answer for a client that lost its connection', async () => {
    const session = await open();
    const cut = new AbortController();
    const response = await session.post({ jsonrpc: '2.0', id: 'kept',
      method: 'tools/call', params: { name: 'test_tool_with_progress',
        arguments: {}, _meta: { progressToken: 1 } } }, { signal: cut.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/"progress":0[^]*\n\n/.test(text)) text += (await reader.read()).value;
    const since = [...text.matchAll(/^id: ?(.*)$/gm)].at(-1)[1];
    cut.abort();
    await reader.closed.catch(() => {});
    const { status, events } = await session.stream({ since });
    assert.equal(status, 200);
    const seen = [];
    for await (const event of events) {
      const message = messageIn(event);
      if (message === undefined) continue;
      seen.push(message.params?.progress ?? message.id);
      if (message.id === 'kept') break;
    }
    assert.deepEqual(seen, [50, 100, 'kept']);
  });

  test('are of their own session: another cannot resume them', async () => {
    const [mine, other] = [await open(), await open()];
    const { events: [first] } = await mine.request('tools/call',
      { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 1 } });
    const { status, response } = await other.stream({ since: first.id });
    assert.notEqual(status, 200);
    await response.body?.cancel();
  });

  test('ask the client, and take its answer', async () => {
    const session = await open(url, { capabilities: { elicitation: {} } });
    const answer = ({ method, params }) => {
      assert.deepEqual([method, params.message], ['elicitation/create', 'Who?']);
      return { action: 'decline' };
    };
    const done = await session.call('test_elicitation', { message: 'Who?' }, { answer });
    assert.match(textOf(done), /action=decline/);
  });
});
