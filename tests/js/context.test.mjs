// SPDX-License-Identifier: Apache-2.0
// What a handler can say and ask in the middle of its call; declared prompts,
// resources, templates, completions; the checks of input and output.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, evaluate, finish, newCell } from './harness.mjs';

const resultOf = (events) => {
  assert.equal(events[0][0], 'result', JSON.stringify(events));
  return JSON.parse(events[0][1]);
};

const failureOf = (events) => {
  assert.equal(events[0][0], 'fail', JSON.stringify(events));
  return { code: events[0][1], ...JSON.parse(events[0][2]) };
};

/** One tool whose run() is the given code. */
const tool = (body, more = '') => `export default { tools: { t: { ${more}
  async run(input, ctx) { ${body} } } } }`;

const call = (body, ctx, client, cell = newCell()) =>
  callTool(tool(body), { tool: 't', input: {}, ctx }, cell, client);

const CAN = { elicitation: { form: {}, url: {} }, sampling: { tools: {} },
  roots: {} };

test('notes go out as they are made, in order', async () => {
  const cell = newCell();
  await call(`ctx.progress(1, 3, 'one');
    ctx.progress(2);
    ctx.notify('warn', { a: 1 }, 'db');
    ctx.notify('critical', 'text');
    ctx.resourceUpdated('memo://a');
    ctx.listChanged('tools'); ctx.listChanged('prompts');
    ctx.listChanged('resources');
    ctx.log('warn', 'a %s', 'line');`, { progress: true }, undefined, cell);
  assert.deepEqual(cell.notes, [
    { method: 'notifications/progress',
      params: { progress: 1, total: 3, message: 'one' } },
    { method: 'notifications/progress', params: { progress: 2 } },
    { method: 'notifications/message',
      params: { level: 'warning', logger: 'db', data: { a: 1 } } },
    { method: 'notifications/message',
      params: { level: 'critical', data: 'text' } },
    { method: 'notifications/resources/updated', params: { uri: 'memo://a' } },
    { method: 'notifications/tools/list_changed' },
    { method: 'notifications/prompts/list_changed' },
    { method: 'notifications/resources/list_changed' },
  ]);
  assert.deepEqual(cell.logs, [[2, 'a line']]);
});

test('progress that nobody wants is not sent; nonsense throws', async () => {
  const cell = newCell();
  await call('ctx.progress(1);', {}, undefined, cell);
  assert.deepEqual(cell.notes, []);
  for (const [body, message] of [
    ['ctx.progress(NaN)', /finite numbers/],
    ['ctx.progress(1, "x")', /finite numbers/],
    ['ctx.notify("loud", 1)', /no level "loud"; there is: debug, info/],
    ['ctx.listChanged("x")', /takes "tools"/],
  ])
    assert.match(failureOf(await call(body, { progress: true })).message,
        message);
});

test('nothing is said once the call is answered', async () => {
  const cell = newCell();
  const events = await call(`ctx.waitUntil((async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ctx.progress(9);
      try { await ctx.listRoots(); } catch (e) { console.log(e.message); }
    })());
    return 1;`, { progress: true, can: CAN }, undefined, cell);
  assert.equal(resultOf(events), 1);
  assert.deepEqual(cell.notes, []);
  assert.deepEqual(cell.asks, []);
  assert.match(cell.logs[0][1], /roots\/list: the call is answered already/);
});

test('asks, and gets the answers, several at once', async () => {
  const seen = [];
  const events = await call(`const [e, s, r] = await Promise.all([
      ctx.elicit({ message: 'Name?', requestedSchema: { type: 'object' } }),
      ctx.sample({ messages: [], maxTokens: 5 }),
      ctx.listRoots()]);
    return [e.content.name, s.role, r.roots.length];`,
  { can: CAN }, (asked) => {
    seen.push(asked);
    return { 'elicitation/create': { result: { action: 'accept',
      content: { name: 'Jo' } } },
    'sampling/createMessage': { result: { role: 'assistant' } },
    'roots/list': { result: { roots: [1, 2] } } }[asked.method];
  });
  assert.deepEqual(resultOf(events), ['Jo', 'assistant', 2]);
  assert.deepEqual(seen.map(({ method, params }) => [method, params]), [
    ['elicitation/create', { message: 'Name?',
      requestedSchema: { type: 'object' } }],
    ['sampling/createMessage', { messages: [], maxTokens: 5 }],
    ['roots/list', {}],
  ]);
  assert.equal(new Set(seen.map(({ number }) => number)).size, 3);
});

test('an answer that is an error rejects, with its code', async () => {
  const events = await call(`try { await ctx.listRoots(); } catch (e) {
      return [e.name, e.message, e.code, e.data]; }`, { can: CAN },
  () => ({ error: { code: -32603, message: 'no', data: [1] } }));
  assert.deepEqual(resultOf(events), ['ClientError', 'roots/list: no', -32603,
    [1]]);
  assert.match(failureOf(await call('return ctx.listRoots()', { can: CAN },
      () => ({}))).message, /roots\/list: no reason is given/);
});

test('what the client did not declare is not asked for', async () => {
  const refused = async (body, can, name) => {
    const cell = newCell();
    const { message } = failureOf(await call(`return ${body}`, { can },
        undefined, cell));
    assert.match(message, new RegExp(
        `did not declare the capability "${name}"`));
    assert.deepEqual(cell.asks, []);
  };
  await refused('ctx.listRoots()', undefined, 'roots');
  await refused('ctx.sample({})', { roots: {} }, 'sampling');
  await refused('ctx.sample({ tools: [] })', { sampling: {} },
      'sampling\\.tools');
  await refused('ctx.elicit({})', {}, 'elicitation');
  await refused('ctx.elicit({ mode: "url" })', { elicitation: { form: {} } },
      'elicitation\\.url');
  await refused('ctx.elicit({})', { elicitation: { url: {} } },
      'elicitation\\.form');
  // {} has always meant forms.
  assert.equal(resultOf(await call('return ctx.elicit({ message: "" })',
      { can: { elicitation: {} } }, () => ({ result: 7 }))), 7);
});

test('sixteen may be open, a thousand may not', async () => {
  const cell = newCell();
  const events = await call(`const asks = [];
    for (let i = 0; i < 1000; i++) asks.push(ctx.sample({ i }));
    const all = await Promise.allSettled(asks);
    const no = all.filter(({ status }) => status === 'rejected');
    return [all.length - no.length, no[0].reason.message];`, { can: CAN },
  ({ params }) => ({ result: params.i }), cell);
  assert.deepEqual(resultOf(events), [16, 'sampling/createMessage: 16 ' +
      'requests to the client are open; await one of them first']);
});

test('what the glue finds too long takes no place', async () => {
  const cell = Object.assign(newCell(), { askMax: 100 });
  const events = await call(`let no;
    for (let i = 0; i < 20; i++)
      no = await ctx.sample({ x: 'y'.repeat(200) }).catch((e) => e.message);
    return [no, await ctx.sample({ x: 1 })];`, { can: CAN },
  () => ({ result: 2 }), cell);
  assert.deepEqual(resultOf(events), ['sampling/createMessage: the request ' +
      'is larger than a result of this server may be', 2]);
});

test('an answer to nothing, or to an earlier call, is no news', async () => {
  const cell = newCell();
  const code = tool('return ctx.listRoots();');
  await evaluate(cell, code).then((namespace) =>
    cell.entry.describe(namespace, undefined, 'tool'));
  const request = JSON.stringify({ tool: 't', ctx: { can: CAN } });
  cell.entry.begin();
  cell.entry.call(0, request);
  const [first] = cell.asks.splice(0);
  cell.entry.begin();
  cell.entry.call(0, request);
  const [second] = cell.asks.splice(0);
  assert.notEqual(first.number, second.number);
  cell.entry.answer(first.number, '{"result":"stale"}');
  cell.entry.answer(4000000000, '{"result":"forged"}');
  cell.entry.answer(second.number, '{"result":"fresh"}');
  cell.entry.answer(second.number, '{"result":"again"}');
  assert.equal(resultOf(await finish(cell)), 'fresh');
});

test('the context tells what is known of the client', async () => {
  const ctx = { meta: { a: 1 }, can: CAN, version: '2025-11-25', session: 's',
    inputResponses: { x: 1 }, requestState: 'st' };
  const body = `return [ctx.meta, ctx.can, ctx.version, ctx.session,
    ctx.inputResponses, ctx.requestState, ctx.name, ctx.signal.aborted]`;
  assert.deepEqual(resultOf(await call(body, ctx)), [ctx.meta, CAN,
    '2025-11-25', 's', { x: 1 }, 'st', 'tool', false]);
  assert.deepEqual(resultOf(await call(body)), [{}, {}, null, null, null, null,
    'tool', false]);
});

test('what a handler wants to have asked passes through', async () => {
  const wanted = { resultType: 'input_required', requestState: 'x',
    inputRequests: { a: { method: 'roots/list' } } };
  const code = tool(`return ${JSON.stringify(wanted)}`,
      'outputSchema: { type: "object", required: ["never"] },');
  assert.deepEqual(resultOf(await callTool(code, { tool: 't' })), wanted);
});

test('an input that does not fit is a tool error, and no call', async () => {
  const code = tool('console.log("ran"); return input.price',
      `inputSchema: { type: 'object', required: ['price'],
        properties: { price: { type: 'number' } } },`);
  const cell = newCell();
  assert.deepEqual(resultOf(await callTool(code, { tool: 't',
    input: { price: 'x' } }, cell)), { isError: true, content: [{
    type: 'text', text: 'The input of the tool t is not valid: /price must ' +
        'be a number, but is a string.' }] });
  assert.deepEqual(cell.logs, []);
  assert.match(resultOf(await callTool(code, { tool: 't' })).content[0].text,
      /: it must have the member "price"\.$/);
  assert.equal(resultOf(await callTool(code, { tool: 't',
    input: { price: 5 } })), 5);
});

test('a result is checked as it goes out', async () => {
  const schema = `outputSchema: { type: 'object', required: ['n'],
    properties: { n: { type: 'integer' } } },`;
  const give = (value) => callTool(tool(`return ${value}`, schema),
      { tool: 't' });
  assert.deepEqual(resultOf(await give('{ n: 1 }')), { n: 1 });
  const whole = { content: [], structuredContent: { n: 2 } };
  assert.deepEqual(resultOf(await give(JSON.stringify(whole))), whole);
  const error = { content: [], isError: true };
  assert.deepEqual(resultOf(await give(JSON.stringify(error))), error);
  for (const [value, message] of [
    ['{ n: "x" }', /outputSchema: \/n must be an integer, but is a string/],
    ['"text"', /: it must be an object, but is a string/],
    ['{ content: [] }', /: it must be an object, but is absent/],
    ['{ structuredContent: { n: 0.5 } }', /\/n must be an integer/],
    // What counts is what is sent, not what was shown before.
    ['{ n: 1, toJSON() { return { n: null }; } }', /\/n must be .* is null/],
  ]) {
    const failure = failureOf(await give(value));
    assert.equal(failure.code, 'invalid_result');
    assert.match(failure.message, message);
  }
});

test('a declaration that cannot be is refused, with its place', async () => {
  const refused = async (declared, pattern) => {
    const cell = newCell();
    const namespace = await evaluate(cell, `export default ${declared}`);
    assert.throws(() => cell.entry.describe(namespace, undefined, 'x'),
        { message: pattern });
  };
  await refused('{ tools: { t: { run() {}, inputSchema: { type: "object", ' +
      'properties: { a: { $ref: "https://a.example/s" } } } } } }',
  /^tool "t": "inputSchema": at "\/properties\/a\/\$ref" it refers to "https:/);
  await refused('{ resourceTemplates: { "m://{+a}": { read() {} } } }',
      /^resource template "m:\/\/{\+a}": "{\+a}" is not level 1 of RFC 6570/);
  await refused('{ resourceTemplates: { "m://{a}{b}": { read() {} } } }',
      /between two variables there must be text/);
  await refused('{ resourceTemplates: { "m://{a}/{a}": { read() {} } } }',
      /\{a\} is there twice/);
  await refused('{ resourceTemplates: { "m://{a": { read() {} } } }',
      /is not level 1/);
  await refused('{ prompts: { p: { get() {}, complete: { x() {} } } } }',
      /prompt "p": "complete": "x" is none of its arguments/);
  await refused('{ prompts: { p: { get() {}, complete() {} } } }',
      /"complete" must be an object of functions/);
});

const RICH = `export default {
  prompts: { greet: { arguments: [{ name: 'who' }],
    get: (args) => 'Hello ' + args.who,
    complete: { who: (value, given, ctx) => ['Ann', 'Anton', 'Bo']
      .filter((name) => name.startsWith(value)) } } },
  resources: { 'memo://all': { mimeType: 'text/plain', read: () => 'all' },
    'memo://raw': { mimeType: 'image/png', read: () => new Uint8Array([1]) } },
  resourceTemplates: { 'memo://{year}/{month}.txt': { name: 'm',
    mimeType: 'text/plain',
    read: (uri, v, ctx) => uri + ' ' + v.year + ' ' + v.month + ctx.version,
    complete: { month(value, { year }) {
      return { values: Array.from({ length: 150 }, (_, i) => year + i) };
    } } } },
}`;

test('declares and reads resources, by URI and by template', async () => {
  const cell = newCell();
  assert.deepEqual(resultOf(await callTool(RICH, { resource: 'memo://all' },
      cell)), { contents: [{ uri: 'memo://all', mimeType: 'text/plain',
    text: 'all' }] });
  assert.deepEqual(cell.surface.resourceTemplates, [{
    uriTemplate: 'memo://{year}/{month}.txt', name: 'm',
    mimeType: 'text/plain' }]);
  assert.equal(cell.surface.completions, true);
  const read = async (uri) => callTool(RICH,
      { resource: uri, ctx: { version: 'v' } });
  assert.deepEqual(resultOf(await read('memo://raw')), { contents: [{
    uri: 'memo://raw', mimeType: 'image/png', blob: 'AQ==' }] });
  const uri = 'memo://2026/a%20b.txt.txt';
  assert.deepEqual(resultOf(await read(uri)), { contents: [{ uri,
    mimeType: 'text/plain', text: `${uri} 2026 a b.txtv` }] });
  for (const other of ['memo://2026/.txt', 'memo:///x.txt', 'memo://a/b/c.txt',
    'memo://a/b.pdf', 'memo://a/%zz.txt', 'memo://a/b.txt?x', 'x'])
    assert.match(failureOf(await read(other)).message,
        /there is no resource .*; there is: memo:\/\/all, memo:\/\/raw/);
});

test('a template is matched in linear time', async () => {
  const start = performance.now();
  await callTool(RICH, { resource: `memo://${'/'.repeat(1e6)}` });
  await callTool(RICH, { resource: `memo://${'a'.repeat(1e6)}/b` });
  assert.ok(performance.now() - start < 2000);
});

test('completes arguments and variables', async () => {
  const complete = async (ref, name, value, context) => resultOf(
      await callTool(RICH, { complete: { ref, argument: { name, value },
        context } })).completion;
  const prompt = { type: 'ref/prompt', name: 'greet' };
  const template = { type: 'ref/resource', uri: 'memo://{year}/{month}.txt' };
  assert.deepEqual(await complete(prompt, 'who', 'An'),
      { values: ['Ann', 'Anton'] });
  assert.deepEqual(await complete(prompt, 'other', 'An'), { values: [] });
  const many = await complete(template, 'month', '',
      { arguments: { year: 'y' } });
  assert.deepEqual([many.values.length, many.values[99], many.total,
    many.hasMore], [100, 'y99', 150, true]);
  assert.match(failureOf(await callTool(RICH, { complete: {
    ref: { type: 'ref/prompt', name: 'no' }, argument: {} } })).message,
  /there is no prompt "no"; there is: greet/);
  assert.match(failureOf(await callTool(RICH, { complete: {
    ref: { type: 'ref/tool' }, argument: {} } })).message, /no reference/);
});

test('a tool that spoils what its check is made of hurts itself', async () => {
  const code = `Array.prototype.push = () => { throw new Error('push'); };
    Map.prototype.get = () => 1;
    Object.prototype.check = () => true;
    RegExp.prototype.exec = () => null;
    JSON.stringify = () => 'forged'; JSON.parse = () => ({});
    ${tool('return input.a', `inputSchema: { type: 'object',
      properties: { a: { type: 'string', pattern: '^x$' } } },`)}`;
  const { events } = await (async () => {
    const cell = newCell();
    try {
      await callTool(code, { tool: 't', input: { a: 'x' } }, cell);
    } catch (error) {
      cell.events.push(['load', error.message]);
    }
    return cell;
  })();
  // It may not load, or fail; it cannot forge an answer.
  assert.ok(events.every(([what, text]) => what !== 'result' ||
      text === '"x"'), JSON.stringify(events));
});
