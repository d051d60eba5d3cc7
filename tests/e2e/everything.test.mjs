// SPDX-License-Identifier: Apache-2.0

// All of the protocol, by the official clients: each of them towards each kind
// of upstream, alone and in the aggregate. So all four cells of old and new.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 }
  from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 }
  from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as v1 from '@modelcontextprotocol/sdk/types.js';
import { until } from '../lib/processes.mjs';
import { startEverything, upstreams } from '../lib/upstreams.mjs';

const info = { name: 'cordon-e2e', version: '1.0.0' };
const capabilities = { elicitation: {}, sampling: {}, roots: { listChanged: true } };
const MODERN = '2026-07-28';

// What a client answers when it is asked.
const answers = {
  'elicitation/create': () => ({ action: 'accept', content: {
    name: 'Ada', username: 'ada', email: 'ada@example.org', ok: true,
    color: 'blue', context: 'a test' } }),
  'sampling/createMessage': () => ({ role: 'assistant', model: 'a-model',
    content: { type: 'text', text: 'It is Paris.' } }),
  'roots/list': () => ({ roots: [{ uri: 'file:///a/root', name: 'A root' }] }),
};

const schemas = {
  'elicitation/create': v1.ElicitRequestSchema,
  'sampling/createMessage': v1.CreateMessageRequestSchema,
  'roots/list': v1.ListRootsRequestSchema,
  'notifications/message': v1.LoggingMessageNotificationSchema,
  'notifications/resources/updated': v1.ResourceUpdatedNotificationSchema,
  'notifications/tools/list_changed': v1.ToolListChangedNotificationSchema,
  'notifications/prompts/list_changed': v1.PromptListChangedNotificationSchema,
};

const negotiated = (mode) => ({
  make: (can) => new ClientV2(info,
    { capabilities: can, versionNegotiation: { mode } }),
  Transport: TransportV2,
  answers: (client, method, handler) => client.setRequestHandler(method, handler),
  hears: (client, method, handler) => client.setNotificationHandler(method, handler),
});

const clients = {
  'sdk v1': {
    make: (can) => new ClientV1(info, { capabilities: can }),
    Transport: TransportV1,
    answers: (client, method, handler) =>
      client.setRequestHandler(schemas[method], handler),
    hears: (client, method, handler) =>
      client.setNotificationHandler(schemas[method], handler),
  },
  'client v2, legacy': negotiated('legacy'),
  'client v2, auto': { ...negotiated('auto'), modern: true },
  'client v2, modern': { ...negotiated({ pin: MODERN }), modern: true },
};

let all;
before(async () => { all = await startEverything(); });
after(async () => {
  const { exit, left } = await all.stop();
  assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
});

// Where a server is reached, and what its names are there.
const places = {
  alone: (server) => ({ url: all.host.endpoint(server), name: (own) => own,
    uri: (own) => own }),
  'in the aggregate': (server) => ({ url: `${all.host.url}/mcp`,
    name: (own) => `${server}__${own}`, uri: (own) => `cordon:${server}/${own}` }),
};

const textOf = ({ content = [] }) => content.map(({ text }) => text).join('');

// A connected client that answers what it is asked, at a place.
async function withClient(kind, at, use, can = capabilities) {
  const client = kind.make(can);
  for (const [method, answer] of Object.entries(answers)) {
    if (can[{ 'elicitation/create': 'elicitation', 'roots/list': 'roots',
      'sampling/createMessage': 'sampling' }[method]]) {
      kind.answers(client, method, answer);
    }
  }
  await client.connect(new kind.Transport(new URL(at.url),
    { requestInit: { headers: all.host.headers } }));
  const call = (name, args = {}, options) => client.callTool(
    { name: at.name(name), arguments: args },
    ...kind.Transport === TransportV1 ? [undefined, options] : [options]);
  try {
    return await use(client, call);
  } finally {
    await client.close();
  }
}

function everyPair(what, check, only = () => true) {
  for (const [called, kind] of Object.entries(clients)) {
    for (const server of Object.keys(upstreams)) {
      for (const [where, place] of Object.entries(places)) {
        if (!only({ kind, server, where })) continue;
        test(`${called}, ${server} ${where}: ${what}`,
          () => check(kind, place(server), server));
      }
    }
  }
}

describe('what is listed', () => {
  everyPair('tools, once each, and with their schemas', (kind, at) =>
    withClient(kind, at, async (client) => {
      const { tools } = await client.listTools();
      const own = tools.filter(({ name }) => name === at.name('test_elicitation'));
      assert.equal(own.length, 1);
      assert.deepEqual(own[0].inputSchema.required, ['message']);
      assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
    }));

  everyPair('prompts and their arguments', (kind, at) =>
    withClient(kind, at, async (client) => {
      const { prompts } = await client.listPrompts();
      const own = prompts.find(({ name }) =>
        name === at.name('test_prompt_with_arguments'));
      assert.deepEqual(own.arguments.map(({ name }) => name), ['arg1', 'arg2']);
    }));

  everyPair('resources and templates', (kind, at) =>
    withClient(kind, at, async (client) => {
      const { resources } = await client.listResources();
      assert.ok(resources.some(({ uri }) => uri === at.uri('test://static-text')),
        resources.map(({ uri }) => uri).join());
      const { resourceTemplates } = await client.listResourceTemplates();
      assert.ok(resourceTemplates.some(({ uriTemplate }) =>
        uriTemplate === at.uri('test://template/{id}/data')),
      resourceTemplates.map(({ uriTemplate }) => uriTemplate).join());
    }));
});

describe('what is read', () => {
  everyPair('a tool\'s text', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      assert.equal(textOf(await call('test_simple_text')),
        'This is a simple text response for testing.');
    }));

  everyPair('a tool\'s failure', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      const result = await call('test_error_handling');
      assert.equal(result.isError, true);
      assert.match(textOf(result), /intentionally returns an error/);
    }));

  everyPair('a prompt with its arguments', (kind, at) =>
    withClient(kind, at, async (client) => {
      const { messages } = await client.getPrompt({
        name: at.name('test_prompt_with_arguments'),
        arguments: { arg1: 'one', arg2: 'two' } });
      assert.equal(messages[0].content.text,
        'Prompt with arguments: arg1=\'one\', arg2=\'two\'');
    }));

  everyPair('a resource, and one by its template', (kind, at) =>
    withClient(kind, at, async (client) => {
      const uri = at.uri('test://static-text');
      const { contents: [text] } = await client.readResource({ uri });
      assert.deepEqual([text.uri, text.text],
        [uri, 'This is the content of the static text resource.']);
      const templated = at.uri('test://template/7/data');
      const { contents: [data] } = await client.readResource({ uri: templated });
      assert.deepEqual([data.uri, JSON.parse(data.text).id], [templated, '7']);
    }));

  everyPair('completions', (kind, at) =>
    withClient(kind, at, async (client) => {
      const { completion } = await client.complete({
        ref: { type: 'ref/prompt', name: at.name('test_prompt_with_arguments') },
        argument: { name: 'arg1', value: 'par' } });
      assert.deepEqual(completion.values, ['paris', 'park', 'party']);
    }));
});

describe('what the client is asked', () => {
  const asked = {
    test_input_required_result_elicitation: /^Hello, Ada!$/,
    test_input_required_result_sampling: /It is Paris\./,
    test_input_required_result_list_roots: /file:\/\/\/a\/root/,
    test_input_required_result_multiple_inputs: /All three were answered/,
    test_input_required_result_multi_round: /named Ada, likes blue/,
    test_input_required_result_request_state: /state-ok/,
  };
  for (const [tool, wanted] of Object.entries(asked)) {
    everyPair(`by the result of ${tool}`, (kind, at) =>
      withClient(kind, at, async (_, call) => {
        const result = await call(tool);
        assert.match(textOf(result), wanted);
      }));
  }

  const during = {
    test_elicitation: [{ message: 'Who?' }, /action=accept.*ada@example\.org/],
    test_sampling: [{ prompt: 'Where?' }, /LLM response: It is Paris\./],
    test_roots: [{}, /file:\/\/\/a\/root/],
  };
  for (const [tool, [args, wanted]] of Object.entries(during)) {
    everyPair(`while ${tool} runs`, (kind, at) =>
      withClient(kind, at, async (_, call) => {
        const result = await call(tool, args);
        assert.match(textOf(result), wanted);
      }));
  }

  everyPair('only what it declared', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      const answer = await call('test_missing_capability')
        .then((result) => result, (error) => ({ isError: true,
          content: [{ text: error.message }] }));
      assert.equal(answer.isError, true);
      assert.match(textOf(answer), /sampling/i);
    }, {}), ({ where }) => where === 'alone');
});

describe('what is told meanwhile', () => {
  everyPair('progress, in order', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      const seen = [];
      await call('test_tool_with_progress', {},
        { onprogress: ({ progress, total }) => seen.push([progress, total]) });
      assert.deepEqual(seen, [[0, 100], [50, 100], [100, 100]]);
    }));

  everyPair('log messages, of the levels it wants', (kind, at) =>
    withClient(kind, at, async (client, call) => {
      const seen = [];
      kind.hears(client, 'notifications/message', ({ params }) =>
        seen.push(params.data));
      await client.setLoggingLevel('info');
      await call('test_tool_with_logging');
      await until('three messages', () => seen.length >= 3);
      assert.deepEqual(seen, ['Tool execution started', 'Tool processing data',
        'Tool execution completed']);
    }), ({ kind }) => !kind.modern);

  everyPair('that a resource was updated', (kind, at) =>
    withClient(kind, at, async (client, call) => {
      const uri = at.uri('test://watched-resource');
      const seen = [];
      kind.hears(client, 'notifications/resources/updated', ({ params }) =>
        seen.push(params.uri));
      if (kind.modern) await client.listen({ resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
      await call('test_touch_watched_resource');
      await until('the update', () => seen.length > 0);
      assert.deepEqual(seen, [uri]);
    }));

  everyPair('that a list has changed, and how', (kind, at) =>
    withClient(kind, at, async (client, call) => {
      let changes = 0;
      kind.hears(client, 'notifications/tools/list_changed', () => { changes++; });
      const has = async () => (await client.listTools()).tools
        .some(({ name }) => name === at.name('test_added_tools'));
      if (kind.modern) await client.listen({ toolsListChanged: true });
      const before = await has();
      await call('test_trigger_tool_change');
      await until('the change', () => changes > 0);
      assert.equal(await has(), !before);
    }), ({ server }) => server !== 'isolate');
});

describe('what is cancelled', () => {
  const counts = async (call) => (await call('test_holds')).structuredContent;

  // The cell of an isolate is gone then: it can tell nobody.
  everyPair('ends at the server too', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      const was = await counts(call);
      const stop = new AbortController();
      const holding = call('test_hold', {}, { signal: stop.signal,
        onprogress: () => stop.abort() });
      await assert.rejects(holding);
      await until('the server to hear of it',
        async () => (await counts(call)).aborted > was.aborted);
    }), ({ server }) => server !== 'isolate');

  everyPair('does not disturb other calls', (kind, at) =>
    withClient(kind, at, async (_, call) => {
      const stop = new AbortController();
      const holding = call('test_hold', {}, { signal: stop.signal,
        onprogress: () => stop.abort() });
      const echo = call('test_echo', { nonce: 'still here', ms: 100 });
      await assert.rejects(holding);
      assert.equal(textOf(await echo), 'still here');
    }));
});
