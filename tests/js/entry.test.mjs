// SPDX-License-Identifier: Apache-2.0
// The entry: forms of tools, calls, answers, errors, the warm-up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, evaluate, finish, newCell, sendRequest }
  from './harness.mjs';

const RESULT = (value) => [['result', JSON.stringify(value)], ['done']];

/** The failure of a call: its code and what its JSON says. */
function failureOf(events) {
  assert.equal(events.length, 2, JSON.stringify(events));
  assert.deepEqual(events[1], ['done']);
  const [what, code, json] = events[0];
  assert.equal(what, 'fail');
  return { code, ...JSON.parse(json) };
}

const describe = async (code, stem = 'tool') => {
  const cell = newCell();
  return JSON.parse(cell.entry.describe(await evaluate(cell, code), undefined,
      stem));
};

test('picks the entry of a bundle', () => {
  const { entry } = newCell();
  const pick = (...args) => {
    try {
      return entry.pickEntry(...args);
    } catch (error) {
      return error.message;
    }
  };
  assert.equal(pick(['tool.js']), 'tool.js');
  assert.equal(pick(['lib/a.js', 'src/index.js', 'b.js']), 'src/index.js');
  assert.equal(pick(['a.js', 'dist/w.mjs'], '{"main":"./dist/w"}'),
      'dist/w.mjs');
  assert.equal(pick(['a.js', 'b.js'], JSON.stringify({ main: 'a.js',
    exports: { '.': { node: './n.js', import: './b.js' } } })), 'b.js');
  assert.match(pick(['a.js'], '{"main":"no.js"}'), /names "no\.js"/);
  assert.match(pick(['a.js', 'b.js']), /has 2 scripts .* package\.json/);
  assert.match(pick(['x.txt']), /no \.js or \.mjs file/);
  assert.match(pick(['a.js'], '{'), /package\.json is not JSON/);
});

test('describes a declarative server, members and defaults', async () => {
  const surface = await describe(`export default {
    name: 'pricing', version: '1.2.0', title: 'P', instructions: 'Ask.',
    tools: {
      double: { description: 'Doubles', title: 'D', run: () => 1,
        inputSchema: { type: 'object', properties: { __proto__: null } },
        annotations: { readOnlyHint: true }, _meta: { x: 1 } },
      'a.b/c': { run() {} },
    },
    prompts: [{ name: 'hi', arguments: [{ name: 'who' }], get: () => 'x' }],
    resources: { 'memo://a': { mimeType: 'text/plain', read: () => 'x' } },
  }`);
  assert.deepEqual(surface, { kind: 'tools', name: 'pricing',
    version: '1.2.0', title: 'P', instructions: 'Ask.',
    tools: [{ name: 'double', title: 'D', description: 'Doubles',
      _meta: { x: 1 }, inputSchema: { type: 'object', properties: {} },
      annotations: { readOnlyHint: true } },
    { name: 'a.b/c', description: '', inputSchema: { type: 'object' } }],
    prompts: [{ name: 'hi', arguments: [{ name: 'who' }] }],
    resourceTemplates: [],
    resources: [{ uri: 'memo://a', name: 'memo://a',
      mimeType: 'text/plain' }] });
});

test('describes bare functions and fetchers of every kind', async () => {
  const bare = await describe('export default (input) => input', 'my tool');
  assert.deepEqual(bare.tools.map((tool) => tool.name), ['my_tool']);
  const told = await describe(`export const description = 'Says';
    export function run() {}`);
  assert.equal(told.tools[0].description, 'Says');
  const cell = newCell();
  cell.run('function run(input) { return input * 2; }');
  cell.entry.describe(undefined, cell.run('run'), 'double');
  cell.entry.call(0, '{"input":21}');
  assert.deepEqual(await finish(cell), RESULT(42));
  for (const code of ['export default { fetch() {} }',
    'export default class { fetch() {} }',
    'export default Object.assign(() => {}, { fetch() {} })'])
    assert.deepEqual(await describe(code), { kind: 'fetch' });
});

test('says what is wrong with a declaration', async () => {
  const cases = [
    ['export const x = 1', /export default/],
    ['export default 5', /export default/],
    ['export default { tools: { a: {} } }', /tool "a": "run" must be a func/],
    ['export default { tools: { a: 1 } }', /tool "a": must be an object/],
    ['export default { tools: { "a b": { run() {} } } }', /tool "a b": .*1 to/],
    ['export default { tools: [{ name: "a", run() {} }, { name: "a", ' +
      'run() {} }] }', /"a" is declared twice/],
    ['export default { tools: { a: { run() {}, description: 1 } } }',
      /tool "a": "description" must be a string/],
    ['export default { tools: { a: { run() {}, inputSchema: { type: "object",' +
      ' "~standard": {} } } } }', /toJSONSchema/],
    ['export default { tools: { a: { run() {}, inputSchema: {} } } }',
      /"inputSchema" must be a JSON Schema/],
    ['export default { name: 1, tools: {} }', /"name" must be a string/],
  ];
  for (const [code, message] of cases)
    await assert.rejects(describe(code), { message });
});

test('answers a synchronous handler before call() returns', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `export default { tools: { t: {
    factor: 3, run(input) { return input.n * this.factor; } } } }`));
  cell.entry.begin();
  cell.entry.call(0, '{"tool":"t","input":{"n":4}}');
  assert.deepEqual(cell.events, RESULT(12));
});

test('answers what promises, thenables and async handlers give', async () => {
  for (const body of ['async run() { await null; return 1; }',
    'run() { return { then(ok) { ok(1); } }; }',
    'run() { return new (class extends Promise {})((ok) => ok(1)); }',
    'run: () => new Promise((ok) => setTimeout(ok, 2, 1))'])
    assert.deepEqual(await callTool(
        `export default { tools: { t: { ${body} } } }`, { tool: 't' }),
    RESULT(1));
});

test('answers null for undefined, and keeps __proto__ as data', async () => {
  assert.deepEqual(await callTool('export function run() {}', {}),
      RESULT(null));
  const events = await callTool('export const run = (input) => input',
      JSON.parse('{"input":{"__proto__":{"x":1},"a":"\\ud800"}}'));
  assert.equal(events[0][1], '{"__proto__":{"x":1},"a":"\\ud800"}');
});

test('refuses what is not JSON, with the path', async () => {
  const cases = [['10n', /result is a BigInt/], ['() => 1', /a function/],
    ['Symbol()', /a symbol/], ['{ a: [{ "b c": 1n }] }',
      /result\["a"\]\[0\]\["b c"\] is a BigInt/],
    ['(() => { const o = { k: {} }; o.k.o = o; return o; })()',
      /result\["k"\]\["o"\] closes a cycle/]];
  for (const [code, message] of cases) {
    const failure = failureOf(await callTool(
        `export const run = () => (${code})`, {}));
    assert.equal(failure.code, 'invalid_result');
    assert.match(failure.message, message);
  }
});

test('explains an exception with the place in the bundle', async () => {
  const failure = failureOf(await callTool(`export function run() {
  inner();
}
function inner() {
  throw new RangeError('too far');
}`, {}));
  assert.deepEqual([failure.code, failure.name, failure.message, failure.file,
    failure.line, failure.column],
  ['exception', 'RangeError', 'too far', 'tool.js', 5, 9]);
  assert.match(failure.stack, /^RangeError: too far\n {4}at inner \(tool\.js:5/);
  assert.doesNotMatch(failure.stack, /cordon:/);
});

test('applies inline source maps and .map files', async () => {
  const { buildTool } = await import('../../js/build-tool.mjs');
  const { mkdtemp, readFile, writeFile, rm } = await import('node:fs/promises');
  const directory = await mkdtemp(`${process.env.TMPDIR ?? '/tmp'}/cordon-`);
  try {
    await writeFile(`${directory}/t.ts`, `type A = { x: number };

export function run(input: A): number {
  if (input.x > 1)
    throw new Error('typed');
  return 1;
}`);
    await buildTool({ entry: `${directory}/t.ts`, out: `${directory}/t.js`,
      sourcemap: true });
    const inline = await readFile(`${directory}/t.js`, 'utf8');
    const data = /sourceMappingURL=data:[^,]*,(\S+)/.exec(inline)[1];
    const apart = inline.replace(/sourceMappingURL=.*/,
        'sourceMappingURL=maps/t.map');
    const map = Buffer.from(data, 'base64').toString();
    for (const files of [{ 'd/t.js': inline },
      { 'd/t.js': apart, 'd/maps/t.map': map }]) {
      const cell = newCell();
      cell.entry.setSources((path) => files[path]);
      const namespace = await evaluate(cell, files['d/t.js'], 'd/t.js');
      cell.entry.describe(namespace, undefined, 't');
      cell.entry.call(0, '{"input":{"x":2}}');
      const failure = failureOf(await finish(cell));
      assert.deepEqual([failure.file, failure.line], ['d/t.ts', 5]);
      assert.match(failure.stack, /at .*run \(d\/t\.ts:5:11\)/);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('reports a stack overflow as such', async () => {
  for (const code of ['const f = () => f() + 1; f()',
    'const o = { get a() { return { ...o }; } }; return o']) {
    const failure = failureOf(await callTool(
        `export function run() { ${code} }`, {}));
    assert.equal(failure.code, 'stack');
  }
});

test('names the tools there are when one is not', async () => {
  const failure = failureOf(await callTool(
      'export default { tools: { a: { run() {} }, b: { run() {} } } }',
      { tool: '__proto__' }));
  assert.equal(failure.message, 'there is no tool "__proto__"; there is: a, b');
});

test('answers prompts and resources', async () => {
  const code = `export default { tools: {},
    prompts: { p: { get: (args, ctx) => args.who + '@' + ctx.name } },
    resources: { 'm://a': { read: async (uri) => uri + '!' } },
    name: 'n' }`;
  assert.deepEqual(await callTool(code, { prompt: 'p', input: { who: 'me' } }),
      RESULT({ messages: [{ role: 'user',
        content: { type: 'text', text: 'me@n' } }] }));
  assert.deepEqual(await callTool(code, { resource: 'm://a' }),
      RESULT({ contents: [{ uri: 'm://a', text: 'm://a!' }] }));
});

test('gives a context: log, signal, env, name, waitUntil', async () => {
  const cell = newCell();
  const events = await callTool(`export default { name: 's', tools: { t: {
    run(input, ctx) {
      ctx.log('warning', 'careful', { a: 1 });
      ctx.log('plain');
      ctx.waitUntil(new Promise((ok) => setTimeout(ok, 3)).then(() =>
        console.log('late')));
      return [ctx.name, ctx.env, ctx.signal.aborted];
    } } } }`, { tool: 't' }, cell);
  assert.deepEqual(events, RESULT(['s', {}, false]));
  assert.deepEqual(cell.logs, [[2, 'careful { a: 1 }'], [1, 'plain'],
    [1, 'late']]);
});

test('an error in the log shows the frames of the bundle only', async () => {
  const cell = newCell();
  await callTool(`export function run() {
    console.error(new Error('seen')); }`, {}, cell);
  assert.match(cell.logs[0][1], /^Error: seen\n {4}at .*tool\.js:2:19/);
  assert.doesNotMatch(cell.logs[0][1], /cordon:platform/);
});

test('is done only when waitUntil is, also when it fails', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `export const run = (i, ctx) => {
    ctx.waitUntil(Promise.reject(new Error('later'))); return 1; }`));
  cell.entry.call(0, '{}');
  assert.deepEqual(cell.events, [['result', '1']]);
  assert.deepEqual(await finish(cell), RESULT(1));
  assert.match(cell.logs[0][1], /^waitUntil: .*later/);
});

test('takes the place of a syntax error from the glue', () => {
  const { entry, run } = newCell();
  const told = JSON.parse(entry.explain(run(
      'Object.assign(new SyntaxError("odd"), { stack: "SyntaxError: odd" })'),
  'lib/x.js', 3, 7));
  assert.deepEqual([told.message, told.file, told.line, told.column],
      ['odd', 'lib/x.js', 3, 7]);
});

test('says 0 after a timer ran: its microtasks may bring more', () => {
  const { entry, run } = newCell();
  run('setTimeout(() => {}, 0)');
  assert.equal(entry.tick(), 0);
  assert.equal(entry.tick(), -1);
});

test('serves requests: headers, bodies, streams in order', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `export default {
    async fetch(request, env, ctx) {
      ctx.passThroughOnException();
      const given = request.method + ' ' + request.headers.get('x-a') + ' ' +
        await request.text();
      const encoder = new TextEncoder();
      return new Response(new ReadableStream({ async start(controller) {
        for (const part of [given, ' one', ' two']) {
          controller.enqueue(encoder.encode(part));
          await new Promise((ok) => setTimeout(ok, 1));
        }
        controller.close();
      } }), { status: 203, headers: [['X-R', 'r'], ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b']] });
    } }`));
  const answer = await sendRequest(cell, { url: 'http://h/', headers:
    [['X-A', '1']], body: 'bödy' });
  assert.deepEqual([answer.status, answer.headers, answer.body], [203,
    [['x-r', 'r'], ['set-cookie', 'a'], ['set-cookie', 'b']],
    'POST 1 bödy one two']);
  assert.equal(answer.events.filter(([what]) => what === 'chunk').length, 3);
});

test('refuses what is no Response, one that was read, a bad chunk', async () => {
  const cases = [['return {}', /must return a Response/],
    ['return Object.create(Response.prototype)', /must return a Response/],
    ['return new Proxy(new Response(), {})', /must return a Response/],
    ['const r = new Response("x"); await r.text(); return r', /was read/],
    ['throw new Error("mine")', /^mine$/],
    ['return new Response(ReadableStream.from(["text"]))', /not a Uint8Array/]];
  for (const [code, message] of cases) {
    const cell = newCell();
    cell.entry.describe(await evaluate(cell,
        `export default { async fetch() { ${code} } }`));
    const { events } = await sendRequest(cell, { url: 'http://h/' });
    const failure = events.find(([what]) => what === 'fail');
    assert.equal(failure[1], 'exception');
    assert.match(JSON.parse(failure[2]).message, message);
  }
});

test('the warm-up runs no handler and tells a server that lives once',
    async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell,
      'export default { tools: { t: { run() { throw 1; } } } }'));
  assert.equal(cell.entry.warm(), undefined);
  assert.deepEqual([cell.events, cell.logs], [[], []]);
  for (const [status, kept] of [['200', true], ['used++ ? 400 : 200', false],
    ['404', true]]) {
    const other = newCell();
    other.entry.describe(await evaluate(other, `let used = 0;
      export default { async fetch(request) {
        const { method } = await request.json();
        if (method !== 'initialize') return new Response('{}');
        return new Response('{}', { status: ${status} }); } }`));
    assert.equal(await other.entry.warm(), kept);
    assert.deepEqual(other.events, []);
  }
});

test('the URL of a request is a parsed one', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell,
      'export default { fetch: ({ url }) => new Response(url) }'));
  for (const [url, seen] of [
    ['http://localhost/../other/mcp', 'http://localhost/other/mcp'],
    ['http://localhost/a/%2e%2E/b', 'http://localhost/b'],
    ['http://localhost:80/a\\b?\'', 'http://localhost/a/b?%27'],
    ['http://localhost/\u00e9', 'http://localhost/%C3%A9']]) {
    assert.equal((await sendRequest(cell, { url })).body, seen);
  }
});

test('an answer of the warm-up that comes late is not the call\'s', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `let release;
    export default { fetch(request) {
      if (request.url.endsWith('/real')) { release(new Response('old'));
        return Promise.resolve(new Response('new')); }
      return new Promise((ok) => { release = ok; });
    } }`));
  cell.entry.warm();
  const answer = await sendRequest(cell, { url: 'http://h/real' });
  assert.equal(answer.body, 'new');
});

test('a rejection nobody handled is a line in the log', () => {
  const cell = newCell();
  cell.entry.unhandled(cell.run('new TypeError("lost")'));
  assert.equal(cell.logs[0][0], 3);
  assert.match(cell.logs[0][1], /^Uncaught \(in promise\) TypeError: lost/);
});

test('a second warm-up goes all the way, and leaves nothing behind', async () => {
  const cell = newCell();
  const namespace = await evaluate(cell, `
    setTimeout(() => console.log('never'), 1);
    export default { tools: { only: { run: (input) => Object.keys(input),
      inputSchema: { type: 'object', required: ['a'] } } } }`);
  cell.entry.describe(namespace, undefined, 'tool');
  cell.entry.warm();
  assert.deepEqual(cell.events, []);
  cell.entry.warm();
  assert.deepEqual(cell.events.map(([what]) => what), ['result', 'done']);
  cell.events.length = 0;
  cell.entry.begin();
  // The warm-up's own tool is gone: there is one, and it needs no name.
  cell.entry.call(0, '{"input":{"a":1}}');
  assert.deepEqual(await finish(cell), RESULT(['a']));
  cell.events.length = 0;
  cell.entry.begin();
  cell.entry.call(0, '{"tool":"cordon:warm-up","input":{}}');
  assert.match(failureOf(await finish(cell)).message, /there is: only/);
  assert.deepEqual(cell.logs, []);
});
