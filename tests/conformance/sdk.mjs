// SPDX-License-Identifier: Apache-2.0

// The handlers of everything.js, served by the official SDK: what a server is
// like that does not run in the host. One McpServer a connection, either era.

import { randomBytes } from 'node:crypto';
import { McpServer, ResourceTemplate, completable, createRequestStateCodec,
  fromJsonSchema, inputRequired } from '@modelcontextprotocol/server';
import { z } from 'zod';
import everything from './everything.js';

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const key = randomBytes(32);
const noInput = { type: 'object', properties: {}, required: [] };

// The lists that were changed by a tool: each time by one more or one less.
function change(server, kind) {
  const name = `test_added_${kind}`;
  const added = server[name];
  if (added) {
    server[name] = undefined;
    added.remove();
  } else if (kind === 'tools') {
    server[name] = server.registerTool(name, { description: 'Comes and goes' },
      () => ({ content: [] }));
  } else {
    server[name] = server.registerPrompt(name, { description: 'Comes and goes' },
      () => ({ messages: [] }));
  }
}

// What a handler wants to know of the client, where it cannot be asked meanwhile:
// the result asks, and the handler runs anew when the answer is there.
class Question {
  constructor(request) {
    this.request = request;
  }
}

function runs(handler) {
  return async (...args) => {
    try {
      return await handler(...args);
    } catch (thrown) {
      if (!(thrown instanceof Question)) throw thrown;
      return inputRequired({ inputRequests: { question: thrown.request } });
    }
  };
}

// Nobody is there any more to be told.
const gone = () => {};

// What everything.js calls ctx, over the SDK's own.
function contextOf(server, codec, { mcpReq }) {
  const modern = mcpReq.envelope?.[CAPABILITIES];
  const can = modern ?? server.server.getClientCapabilities() ?? {};
  const ask = (method, params) => {
    if (!modern) return mcpReq.send({ method, params });
    const answer = mcpReq.inputResponses?.question;
    if (answer === undefined) throw new Question({ method, params });
    return answer;
  };
  const token = mcpReq._meta?.progressToken;
  return {
    can,
    inputResponses: mcpReq.inputResponses,
    requestState: mcpReq.requestState(),
    seal: (state) => codec.mint(state),
    signal: mcpReq.signal,
    notify: (level, data) => mcpReq.log(level, data).catch(gone),
    progress(progress, total, message) {
      if (token === undefined) return;
      mcpReq.notify({ method: 'notifications/progress',
        params: { progressToken: token, progress, total, message } }).catch(gone);
    },
    sample: (params) => ask('sampling/createMessage', params),
    elicit: (params) => ask('elicitation/create', params),
    listRoots: () => ask('roots/list', {}),
    listChanged: (kind) => change(server, kind),
    resourceUpdated: (uri) => server.server.sendResourceUpdated({ uri }),
  };
}

function addPrompt(server, name, { get, complete, arguments: list, ...prompt }, context) {
  const shape = Object.fromEntries((list ?? []).map((one) => {
    const words = z.string().describe(one.description);
    const completes = complete?.[one.name];
    return [one.name, completes ? completable(words, completes) : words];
  }));
  if (list) {
    server.registerPrompt(name, { ...prompt, argsSchema: z.object(shape) },
      (args, ctx) => get(args, context(ctx)));
  } else {
    server.registerPrompt(name, prompt, (ctx) => get({}, context(ctx)));
  }
}

function addResources(server, context) {
  for (const [uri, { name, read, ...resource }] of Object.entries(everything.resources)) {
    server.registerResource(name, uri, resource,
      (_, ctx) => read(uri, context(ctx)));
  }
  for (const [uri, { name, read, complete, ...resource }] of
    Object.entries(everything.resourceTemplates)) {
    const template = new ResourceTemplate(uri, { list: undefined, complete });
    server.registerResource(name, template, resource,
      (at, variables, ctx) => read(at.href, variables, context(ctx)));
  }
}

// Makes one server; `versions` limits which revisions it speaks.
export function makeServer({ versions } = {}) {
  const codec = createRequestStateCodec({ key });
  const { name, version, title, instructions } = everything;
  const server = new McpServer({ name, version, title }, {
    instructions,
    capabilities: { tools: { listChanged: true }, prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true }, logging: {},
      completions: {} },
    requestState: { verify: codec.verify },
    ...versions === undefined ? {} : { supportedProtocolVersions: versions },
  });
  const context = (ctx) => contextOf(server, codec, ctx);
  for (const [called, { run, inputSchema = noInput, ...tool }] of
    Object.entries(everything.tools)) {
    server.registerTool(called, { ...tool, inputSchema: fromJsonSchema(inputSchema) },
      runs((input, ctx) => run(input, context(ctx))));
  }
  for (const [called, prompt] of Object.entries(everything.prompts)) {
    addPrompt(server, called, prompt, context);
  }
  addResources(server, context);
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  return server;
}
