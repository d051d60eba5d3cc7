// SPDX-License-Identifier: Apache-2.0

// Promise: a requestState is good for the same request, of the same principal,
// at the same endpoint; one that resumes a call that waits, once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { Session } from '../lib/session.mjs';
import { addServer, addTenant, addToken, everything, killGateway, modern, noTroubles,
  spoilt, troubles } from '../lib/strangers.mjs';

// Two resources, each with a state of its own; they say which they were given.
const resources = `
  const ask = { k: { method: 'elicitation/create', params: { message: 'Well?',
    requestedSchema: { type: 'object', properties: {} } } } };
  const read = (uri) => (_, ctx) => ctx.inputResponses ?
    { contents: [{ uri, text: \`\${uri} with \${ctx.requestState}\` }] } :
    { resultType: 'input_required', inputRequests: ask, requestState: 'of ' + uri };
  export default { name: 'res', version: '1', tools: {},
    resources: ['x://a', 'x://b'].map((uri) => ({ uri, name: uri, read: read(uri) })) };`;

let host;
let url;
let thieves;

before(async () => {
  host = await Host.start({ files: { 'isolate.js': everything, 'second.js': everything,
    'res.js': resources } });
  url = host.endpoint('isolate');
  const other = await addTenant(host, 'other');
  await addServer(host, 'isolate', everything, { state: 'approve', token: other.admin });
  const same = await addToken(host, {});
  thieves = [
    ['another token of the tenant', url, same],
    ['another tenant', url, other.caller],
    ['its owner, at another server', host.endpoint('second'), host.token],
    ['its owner, at all servers', `${host.url}/mcp`, host.token, 'isolate__'],
  ];
});
after(async () => assert.deepEqual(await troubles(host), noTroubles));

const accept = (content) => ({ action: 'accept', content });

// A call that waits in the host, and one whose state is the server's own.
const kinds = {
  parked: {
    name: 'test_elicitation', args: { message: 'Who?' },
    answer: ({ inputRequests }) => ({ [Object.keys(inputRequests)[0]]:
      accept({ username: 'me', email: 'me@x' }) }), done: /action=accept/,
  },
  wrapped: {
    name: 'test_input_required_result_request_state', args: {},
    answer: () => ({ confirm: accept({ ok: true }) }), done: /state-ok/,
  },
};

const begin = async ({ name, args }) => {
  const { result } = await modern(url, host.token, 'tools/call', { name, arguments: args });
  assert.equal(result.resultType, 'input_required');
  return result;
};

const retry = (kind, asked, requestState, { at = url, token = host.token,
  name = kind.name, args = kind.args } = {}) => modern(at, token, 'tools/call',
  { name, arguments: args, requestState, inputResponses: kind.answer(asked) });

for (const [called, kind] of Object.entries(kinds)) {
  describe(`the state of a call that is ${called}`, () => {
    test('is good for its owner, there, for the same request', async () => {
      const asked = await begin(kind);
      const state = asked.requestState;
      for (const [who, at, token, prefix = ''] of thieves) {
        const { status, error } = await retry(kind, asked, state,
          { at, token, name: prefix + kind.name });
        assert.deepEqual([status, error?.code], [400, -32602], who);
      }
      for (const [what, change] of Object.entries({
        'other arguments': { args: { ...kind.args, message: 'Another?' } },
        'another member': { args: { ...kind.args, more: null } },
        'another tool': { name: 'test_sampling' },
        'an unknown tool': { name: 'nothing' },
      })) {
        const { status, error } = await retry(kind, asked, state, change);
        assert.deepEqual([status, error?.code], [400, -32602], what);
      }
      const { result } = await retry(kind, asked, state);
      assert.match(result.content[0].text, kind.done);
    });

    test('cannot be made, changed or cut', async () => {
      const asked = await begin(kind);
      const session = await Session.open(url, host.headers);
      const made = [...spoilt(asked.requestState, 5), session.id, '', 7, null, {}, ['x'],
        '\ud800', '\0', 'A'.repeat(900_000)];
      for (const state of made) {
        const { status, error } = await retry(kind, asked, state);
        assert.deepEqual([status, error?.code], [400, -32602], String(state).slice(0, 80));
      }
      const { result } = await retry(kind, asked, asked.requestState);
      assert.match(result.content[0].text, kind.done);
    });
  });
}

test('a call that waits is resumed once', async () => {
  const kind = kinds.parked;
  const asked = await begin(kind);
  const answers = await Promise.all(Array.from({ length: 8 },
    () => retry(kind, asked, asked.requestState)));
  assert.equal(answers.filter(({ result }) => result).length, 1);
  assert.equal(answers.filter(({ status }) => status === 400).length, 7);
  const late = await retry(kind, asked, asked.requestState);
  assert.equal(late.status, 400);
});

test('a state that two rounds had is the later one\'s', async () => {
  const name = 'test_input_required_result_multi_round';
  const step = (requestState, inputResponses) => modern(url, host.token, 'tools/call',
    { name, arguments: {}, requestState, inputResponses });
  const first = (await step()).result;
  const second = (await step(first.requestState,
    { step1: accept({ name: 'Ann' }) })).result;
  const done = (await step(second.requestState,
    { step2: accept({ color: 'red' }) })).result;
  assert.equal(done.content[0].text, 'named Ann, likes red');
});

test('a state belongs to what is read, whatever else the request says', async () => {
  const read = (uri, params) => modern(host.endpoint('res'), host.token,
    'resources/read', { uri, name: 'the same', arguments: {}, ...params });
  const { result } = await read('x://a');
  const inputResponses = { k: accept({}) };
  const { requestState } = result;
  const elsewhere = await read('x://b', { requestState, inputResponses });
  assert.deepEqual([elsewhere.status, elsewhere.error?.code], [400, -32602]);
  const own = await read('x://a', { requestState, inputResponses });
  assert.equal(own.result.contents[0].text, 'x://a with of x://a');
});

test('after a restart a server\'s own state is good, a call that waited is over', async () => {
  const [parked, wrapped] = [await begin(kinds.parked), await begin(kinds.wrapped)];
  await killGateway(host);
  host.log.length = 0;
  const over = await retry(kinds.parked, parked, parked.requestState);
  assert.deepEqual([over.status, over.error?.code], [400, -32602]);
  for (const [who, at, token, prefix = ''] of thieves) {
    const { status } = await retry(kinds.wrapped, wrapped, wrapped.requestState,
      { at, token, name: prefix + kinds.wrapped.name });
    assert.equal(status, 400, who);
  }
  const { result } = await retry(kinds.wrapped, wrapped, wrapped.requestState);
  assert.match(result.content[0].text, /state-ok/);
});
