// SPDX-License-Identifier: Apache-2.0

// The server that the official conformance suite asks for: every tool, prompt
// and resource by the name and with the payload that its scenarios name.
// Written as a declarative server. The host runs it in cells as it is; sdk.mjs
// serves the same handlers with the official SDK.

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dw' +
  'HwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (words) => ({ type: 'text', text: words });
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' };
const says = (words) => ({ content: [text(words)] });
const user = (content) => ({ role: 'user', content });
const object = (properties = {}, required = Object.keys(properties)) =>
  ({ type: 'object', properties, required });
const string = { type: 'string' };

// What a modern server asks: the client answers it, then calls again.
const form = (message, properties) => ({ method: 'elicitation/create',
  params: { message, requestedSchema: object(properties) } });
const prompt = (words, maxTokens) => ({ method: 'sampling/createMessage',
  params: { messages: [user(text(words))], maxTokens } });
const roots = { method: 'roots/list', params: {} };
const asks = (inputRequests, requestState) =>
  ({ resultType: 'input_required', inputRequests,
    ...requestState === undefined ? {} : { requestState } });

// The host seals a state by itself; a server of its own has to.
const seal = (ctx, state) => ctx.seal?.(state) ?? state;

// The answer to that key, where it is one: an object, not what else may come.
function answerTo(ctx, key) {
  const answer = ctx.inputResponses?.[key];
  return answer !== null && typeof answer === 'object' ? answer : undefined;
}

// What somebody filled in and accepted.
const accepted = (ctx, key) => {
  const answer = answerTo(ctx, key);
  return answer?.action === 'accept' ? answer.content : undefined;
};

const chosen = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));
const options = ['option1', 'option2', 'option3'];

const defaults = {
  name: { type: 'string', description: 'User name', default: 'John Doe' },
  age: { type: 'integer', description: 'User age', default: 30 },
  score: { type: 'number', description: 'User score', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'],
    default: 'active' },
  verified: { type: 'boolean', description: 'Verified', default: true },
};

const enums = {
  untitledSingle: { type: 'string', enum: options },
  titledSingle: { type: 'string', oneOf: chosen(['value1', 'First Option'],
    ['value2', 'Second Option'], ['value3', 'Third Option']) },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'] },
  untitledMulti: { type: 'array', minItems: 1, maxItems: 3,
    items: { type: 'string', enum: options } },
  titledMulti: { type: 'array', minItems: 1, maxItems: 3,
    items: { anyOf: chosen(['value1', 'First Choice'],
      ['value2', 'Second Choice'], ['value3', 'Third Choice']) } },
};

const completed = ({ action, content = {} }) =>
  says(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);

// What a tool returns, in every kind that a result may hold.
const contents = {
  test_simple_text: {
    description: 'Returns simple text',
    run: () => says('This is a simple text response for testing.'),
  },
  test_image_content: {
    description: 'Returns an image',
    run: () => ({ content: [image] }),
  },
  test_audio_content: {
    description: 'Returns audio',
    run: () => ({ content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }] }),
  },
  test_embedded_resource: {
    description: 'Returns an embedded resource',
    run: () => ({ content: [{ type: 'resource', resource: {
      uri: 'test://embedded-resource', mimeType: 'text/plain',
      text: 'This is an embedded resource content.',
    } }] }),
  },
  test_multiple_content_types: {
    description: 'Returns text, an image and a resource',
    run: () => ({ content: [text('Multiple content types test:'), image,
      { type: 'resource', resource: {
        uri: 'test://mixed-content-resource', mimeType: 'application/json',
        text: JSON.stringify({ test: 'data', value: 123 }),
      } }] }),
  },
  test_error_handling: {
    description: 'Always fails',
    run() { throw new Error('This tool intentionally returns an error for testing'); },
  },
};

// What a tool says before it returns.
const talk = {
  test_tool_with_logging: {
    description: 'Logs while it runs',
    async run(_, ctx) {
      ctx.notify('info', 'Tool execution started');
      await sleep(50);
      ctx.notify('info', 'Tool processing data');
      await sleep(50);
      ctx.notify('info', 'Tool execution completed');
      return says('Tool with logging executed successfully');
    },
  },
  test_logging_tool: {
    description: 'Logs, for those who asked for a level',
    run(_, ctx) {
      ctx.notify('info', 'This is seen only where a log level was asked for');
      return says('Logged');
    },
  },
  test_tool_with_progress: {
    description: 'Reports progress',
    async run(_, ctx) {
      for (const done of [0, 50, 100]) {
        if (done > 0) await sleep(50);
        ctx.progress(done, 100, `Completed step ${done} of 100`);
      }
      return says('Tool with progress executed successfully');
    },
  },
  test_reconnection: {
    description: 'Answers after its stream may have been closed',
    async run() {
      await sleep(100);
      return says('Reconnection test completed successfully');
    },
  },
};

// What a tool asks the client while it runs.
const questions = {
  test_sampling: {
    description: 'Asks the client\'s model',
    inputSchema: object({ prompt: string }),
    async run(input, ctx) {
      const { content } = await ctx.sample({
        messages: [user(text(input.prompt))], maxTokens: 100 });
      return says(`LLM response: ${[content].flat()[0]?.text ?? 'none'}`);
    },
  },
  test_elicitation: {
    description: 'Asks the user',
    inputSchema: object({ message: string }),
    async run({ message }, ctx) {
      const { action, content = {} } = await ctx.elicit({ message,
        requestedSchema: object({
          username: { type: 'string', description: 'User\'s response' },
          email: { type: 'string', description: 'User\'s email address' } }) });
      return says(`User response: action=${action}, content=${JSON.stringify(content)}`);
    },
  },
  test_elicitation_sep1034_defaults: {
    description: 'Asks the user, with defaults',
    run: async (_, ctx) => completed(await ctx.elicit({
      message: 'Please review the form', requestedSchema: object(defaults, []) })),
  },
  test_elicitation_sep1330_enums: {
    description: 'Asks the user to choose',
    run: async (_, ctx) => completed(await ctx.elicit({
      message: 'Please choose', requestedSchema: object(enums, []) })),
  },
  test_roots: {
    description: 'Asks for the client\'s roots',
    async run(_, ctx) {
      const { roots: list } = await ctx.listRoots();
      return says(list.map(({ uri }) => uri).join(' '));
    },
  },
};

// What a tool asks by its result (2026-07-28).
const name = form('What is your name?', { name: string });
const ok = form('Please confirm', { ok: { type: 'boolean' } });
const ended = 'ended well';

const rounds = {
  test_input_required_result_elicitation: {
    description: 'Asks for a name',
    run(_, ctx) {
      const given = accepted(ctx, 'user_name');
      return typeof given?.name === 'string' ? says(`Hello, ${given.name}!`) :
        asks({ user_name: name });
    },
  },
  test_input_required_result_sampling: {
    description: 'Asks the client\'s model',
    run(_, ctx) {
      const answer = answerTo(ctx, 'capital_question');
      return answer ? says([answer.content].flat()[0]?.text ?? '') :
        asks({ capital_question: prompt('What is the capital of France?', 100) });
    },
  },
  test_input_required_result_list_roots: {
    description: 'Asks for the client\'s roots',
    run(_, ctx) {
      const list = answerTo(ctx, 'client_roots')?.roots;
      return Array.isArray(list) ? says(list.map(({ uri }) => uri).join(' ')) :
        asks({ client_roots: roots });
    },
  },
  test_input_required_result_request_state: {
    description: 'Asks, and keeps a state with the client',
    async run(_, ctx) {
      return accepted(ctx, 'confirm') && ctx.requestState === ended ?
        says('state-ok') : asks({ confirm: ok }, await seal(ctx, ended));
    },
  },
  test_input_required_result_tampered_state: {
    description: 'Asks, with a state that may be tampered with',
    async run(_, ctx) {
      return accepted(ctx, 'confirm') && ctx.requestState === ended ?
        says('state-ok') : asks({ confirm: ok }, await seal(ctx, ended));
    },
  },
  test_input_required_result_multiple_inputs: {
    description: 'Asks three things at once',
    async run(_, ctx) {
      const given = ['user_name', 'greeting', 'client_roots']
        .every((key) => answerTo(ctx, key));
      return given ? says('All three were answered') : asks({
        user_name: name, greeting: prompt('Generate a greeting', 50),
        client_roots: roots }, await seal(ctx, 'asked for three'));
    },
  },
  test_input_required_result_multi_round: {
    description: 'Asks twice',
    async run(_, ctx) {
      const first = accepted(ctx, 'step1');
      if (first) {
        return asks({ step2: form('Step 2: What is your favorite color?',
          { color: string }) }, await seal(ctx, `named ${first.name}`));
      }
      const second = accepted(ctx, 'step2');
      return second ? says(`${ctx.requestState}, likes ${second.color}`) :
        asks({ step1: form('Step 1: What is your name?', { name: string }) },
          await seal(ctx, 'unnamed'));
    },
  },
  test_input_required_result_capabilities: {
    description: 'Asks what the client can answer',
    run(_, ctx) {
      const all = { user_name: ['elicitation', name],
        greeting: ['sampling', prompt('Generate a greeting', 50)],
        client_roots: ['roots', roots] };
      const may = Object.entries(all).filter(([, [needed]]) => ctx.can[needed]);
      if (may.length === 0) return says('This client can do nothing of it');
      return may.every(([key]) => answerTo(ctx, key)) ? says('Answered') :
        asks(Object.fromEntries(may.map(([key, [, one]]) => [key, one])));
    },
  },
  test_missing_capability: {
    description: 'Asks what only some clients can answer',
    run: (_, ctx) => answerTo(ctx, 'answer') ? says('The client can sample') :
      asks({ answer: prompt('Can you sample?', 10) }),
  },
  test_streaming_elicitation: {
    description: 'Reports progress, then asks',
    run(_, ctx) {
      ctx.progress(1, 2, 'about to ask');
      return accepted(ctx, 'user_name') ? says('Answered') :
        asks({ user_name: name });
    },
  },
};

let held = 0;
let aborted = 0;

// What the suite does not ask for, and our own tests do.
const own = {
  test_hold: {
    description: 'Waits until it is cancelled',
    run: (_, ctx) => new Promise((resolve) => {
      held++;
      ctx.signal.addEventListener('abort', () => {
        aborted++;
        resolve(says('Aborted'));
      });
      ctx.progress(1, 2, 'holding');
    }),
  },
  test_holds: {
    description: 'Tells how many calls of test_hold there were',
    run: () => ({ ...says(`${held} held, ${aborted} aborted`),
      structuredContent: { held, aborted } }),
  },
  test_echo: {
    description: 'Gives back what it was given, after a while',
    inputSchema: object({ nonce: string, ms: { type: 'integer' } }, ['nonce']),
    async run({ nonce, ms = 0 }) {
      if (ms > 0) await sleep(ms);
      return says(nonce);
    },
  },
};

const changes = {
  test_trigger_tool_change: {
    description: 'Changes the list of tools',
    run(_, ctx) { ctx.listChanged('tools'); return says('Changed'); },
  },
  test_trigger_prompt_change: {
    description: 'Changes the list of prompts',
    run(_, ctx) { ctx.listChanged('prompts'); return says('Changed'); },
  },
  test_touch_watched_resource: {
    description: 'Says that the watched resource has changed',
    run(_, ctx) { ctx.resourceUpdated('test://watched-resource'); return says('Touched'); },
  },
};

// Schemas that must arrive as they are.
const schemas = {
  json_schema_2020_12_tool: {
    description: 'Tool with JSON Schema 2020-12 features',
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { $anchor: 'addressDef', type: 'object',
        properties: { street: string, city: string } } },
      properties: { name: string, address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: string, email: string },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } },
        required: ['contactMethod'] },
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    run: (input) => says(`JSON Schema 2020-12 tool called with: ${JSON.stringify(input)}`),
  },
  test_custom_header: {
    description: 'Takes a parameter that is mirrored in a header',
    inputSchema: object({ region: { type: 'string', 'x-mcp-header': 'Region' } }),
    run: ({ region }) => says(`In ${region}`),
  },
};

const prompts = {
  test_simple_prompt: {
    description: 'A prompt without arguments',
    get: () => ({ messages: [user(text('This is a simple prompt for testing.'))] }),
  },
  test_prompt_with_arguments: {
    description: 'A prompt with two arguments',
    arguments: [
      { name: 'arg1', description: 'First test argument', required: true },
      { name: 'arg2', description: 'Second test argument', required: true },
    ],
    get: ({ arg1, arg2 }) => ({ messages: [user(text(
      `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
    complete: { arg1: (value) => ['paris', 'park', 'party', 'test']
      .filter((word) => word.startsWith(value)) },
  },
  test_prompt_with_embedded_resource: {
    description: 'A prompt with a resource in it',
    arguments: [{ name: 'resourceUri', description: 'Which one', required: true }],
    get: ({ resourceUri }) => ({ messages: [
      user({ type: 'resource', resource: { uri: resourceUri,
        mimeType: 'text/plain', text: 'Embedded resource content for testing.' } }),
      user(text('Please process the embedded resource above.'))] }),
  },
  test_prompt_with_image: {
    description: 'A prompt with an image in it',
    get: () => ({ messages: [user(image),
      user(text('Please analyze the image above.'))] }),
  },
  test_input_required_result_prompt: {
    description: 'A prompt that asks first',
    get(_, ctx) {
      const given = accepted(ctx, 'user_context');
      return given ? { messages: [user(text(`In the context: ${given.context}`))] } :
        asks({ user_context: form('What context should the prompt use?',
          { context: string }) });
    },
  },
};

const watched = 'Watched resource content';

const resources = {
  'test://static-text': {
    name: 'static-text', description: 'A text', mimeType: 'text/plain',
    read: (uri) => ({ contents: [{ uri, mimeType: 'text/plain',
      text: 'This is the content of the static text resource.' }] }),
  },
  'test://static-binary': {
    name: 'static-binary', description: 'An image', mimeType: 'image/png',
    read: (uri) => ({ contents: [{ uri, mimeType: 'image/png', blob: PIXEL }] }),
  },
  'test://watched-resource': {
    name: 'watched-resource', description: 'Changes when touched',
    mimeType: 'text/plain',
    read: (uri) => ({ contents: [{ uri, mimeType: 'text/plain', text: watched }] }),
  },
};

const resourceTemplates = {
  'test://template/{id}/data': {
    name: 'template', description: 'Data by number', mimeType: 'application/json',
    read: (uri, { id }) => ({ contents: [{ uri, mimeType: 'application/json',
      text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] }),
    complete: { id: (value) => ['1', '12', '123']
      .filter((id) => id.startsWith(value)) },
  },
};

export default {
  name: 'everything',
  version: '1.0.0',
  title: 'Everything',
  instructions: 'Holds what the conformance suite asks for.',
  tools: { ...contents, ...talk, ...questions, ...rounds, ...changes, ...schemas,
    ...own },
  prompts,
  resources,
  resourceTemplates,
};
