// SPDX-License-Identifier: Apache-2.0
// A tool shares its realm with the platform. Whatever it patches or throws,
// the answer keeps its shape: one result or one failure, JSON, then done.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, evaluate, newCell, sendRequest } from './harness.mjs';

/** Checks the shape; returns the answer's first event. */
function answerOf(events) {
  assert.equal(events.length, 2, JSON.stringify(events));
  assert.deepEqual(events[1], ['done']);
  const [what, ...rest] = events[0];
  assert.ok(what === 'result' || what === 'fail');
  const value = JSON.parse(rest.at(-1));
  if (what === 'fail')
    assert.equal(typeof value.message, 'string');
  return { what, code: rest.length > 1 ? rest[0] : undefined, value };
}

/** Source of patch(): every intrinsic method throws from then on. */
const PATCHED = `
  const { ownKeys, getOwnPropertyDescriptor, defineProperty } = Reflect;
  const evil = function () { throw new Error('patched'); };
  const targets = [JSON, Reflect, Math];
  for (const owner of [Object, Array, String, Number, Function, Promise, Map,
    Set, WeakMap, WeakSet, RegExp, Symbol, Error, TypeError, RangeError, Date,
    Uint8Array, Object.getPrototypeOf(Uint8Array), ArrayBuffer,
    Object.getPrototypeOf([][Symbol.iterator]())])
    targets.push(owner, owner.prototype ?? owner);
  function patch() {
    let n = 0;
    for (let i = 0; i < targets.length; i++) {
      const keys = ownKeys(targets[i]);
      for (let k = 0; k < keys.length; k++) {
        const found = getOwnPropertyDescriptor(targets[i], keys[k]);
        if (found.configurable && typeof found.value === 'function' &&
            keys[k] !== 'constructor') {
          found.value = evil;
          defineProperty(targets[i], keys[k], found);
          n++;
        }
      }
    }
    return n;
  }`;

test('patched intrinsics do not reach the answer of a tool', async () => {
  const answer = answerOf(await callTool(`${PATCHED}
    export function run() { return { ok: patch() > 300 }; }`, {}));
  assert.deepEqual(answer, { what: 'result', code: undefined,
    value: { ok: true } });
  const failed = answerOf(await callTool(`${PATCHED}
    export function run() { patch(); throw new TypeError('mine'); }`, {}));
  assert.deepEqual([failed.what, failed.code, failed.value.message],
      ['fail', 'exception', 'mine']);
  const later = answerOf(await callTool(`${PATCHED}
    export async function run() { await null; patch(); return 5; }`, {}));
  assert.equal(later.value, 5);
});

test('patched intrinsics do not reach the answer of a request', async () => {
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `${PATCHED}
    export default { fetch() {
      const response = new Response('body', { headers: { a: 'b' } });
      patch();
      return response; } }`));
  const answer = await sendRequest(cell, { url: 'http://h/' });
  assert.deepEqual([answer.status, answer.body], [200, 'body']);
  assert.deepEqual(answer.headers,
      [['a', 'b'], ['content-type', 'text/plain;charset=UTF-8']]);
});

test('toJSON on prototypes cannot forge a head or a failure', async () => {
  const forge = `const forge = () => { for (const C of [Object, Array, String])
    C.prototype.toJSON = () => 'forged'; };`;
  const cell = newCell();
  cell.entry.describe(await evaluate(cell, `${forge}
    export default { fetch() { forge(); return new Response('x'); } }`));
  const { status } = await sendRequest(cell, { url: 'http://h/' });
  assert.equal(status, 200);
  const failed = answerOf(await callTool(`${forge}
    export function run() { forge(); throw new Error('real'); }`, {}));
  assert.equal(failed.value.message, 'real');
});

const THROWN = {
  'a string': ['"text"', 'text'],
  'nothing': ['undefined', 'undefined'],
  'null': ['null', 'null'],
  'a symbol': ['Symbol("s")', 'Symbol(s)'],
  'a BigInt': ['5n', '5'],
  'a proxy': ['new Proxy({}, { get() { throw 1; }, getPrototypeOf() { ' +
    'throw 2; } })', 'a Proxy was thrown'],
  'a revoked proxy': ['(() => { const p = Proxy.revocable({}, {}); ' +
    'p.revoke(); return p.proxy; })()', 'a Proxy was thrown'],
  'a throwing getter': ['{ get message() { throw 1; }, get stack() { throw ' +
    '2; }, get name() { throw 3; } }', 'something that is not an Error was ' +
    'thrown'],
  'an object as message': ['{ message: { toString() { throw 1; } } }',
    'something that is not an Error was thrown'],
  'a function': ['Object.assign(() => {}, { message: "f" })', 'f'],
  'a recursive getter': ['{ get message() { return this.message; } }',
    'something that is not an Error was thrown'],
  'null prototype': ['Object.create(null)', 'something that is not an Error ' +
    'was thrown'],
};

for (const [name, [code, message]] of Object.entries(THROWN)) {
  test(`throwing ${name} is a failure like any other`, async () => {
    const answer = answerOf(await callTool(
        `export function run() { throw ${code.startsWith('{') ?
          `(${code})` : code}; }`, {}));
    assert.deepEqual([answer.code, answer.value.message],
        ['exception', message]);
  });
}

const RESULTS = {
  'a getter that throws': ['{ get a() { throw new Error("got"); } }', 'got'],
  'a toJSON that throws': ['{ toJSON() { throw new Error("json"); } }', 'json'],
  'a proxy that throws': ['new Proxy({}, { ownKeys() { throw new ' +
    'Error("keys"); } })', 'keys'],
  'a then getter that throws': ['{ get then() { throw new Error("then"); } }',
    'then'],
  'a then that throws': ['{ then() { throw new Error("called"); } }', 'called'],
};

for (const [name, [code, message]] of Object.entries(RESULTS)) {
  test(`returning ${name} is a failure`, async () => {
    const answer = answerOf(await callTool(
        `export function run() { return ${code}; }`, {}));
    assert.deepEqual([answer.code, answer.value.message],
        ['exception', message]);
  });
}

test('a thenable that settles twice answers once', async () => {
  const answer = answerOf(await callTool(`export const run = () => ({
    then(ok, no) { ok(1); ok(2); no(3); } })`, {}));
  assert.equal(answer.value, 1);
});

test('messages, names and stacks are cut to their bounds', async () => {
  const answer = answerOf(await callTool(`export function run() {
    const error = new Error('m'.repeat(1e6));
    error.name = 'n'.repeat(1e6);
    error.stack = ('at x\\n').repeat(1e6);
    throw error; }`, {}));
  assert.equal(answer.value.message.length, 4096);
  assert.ok(answer.value.name.length <= 200);
  assert.ok(answer.value.stack.length <= 16384);
});

test('prepareStackTrace sees no function of the platform', async () => {
  const answer = answerOf(await callTool(`export function run() {
    let sites = [];
    Error.prepareStackTrace = (error, all) => { sites = all; return 'x'; };
    new Error('probe').stack;
    return sites.map((site) => [typeof site.getFunction(),
      typeof site.getThis(), site.getFileName() === 'tool.js']);
  }`, {}));
  for (const [fn, self] of answer.value)
    assert.deepEqual([fn, self], ['undefined', 'undefined']);
  assert.ok(answer.value.length >= 1);
});

test('no function of the glue can be reached from what a tool can see',
    async () => {
  const cell = newCell();
  const functions = Object.values(cell.native)
    .filter((value) => typeof value === 'function');
  cell.context.isNative = (value) => functions.includes(value);
  const found = cell.run(`(() => {
    const seen = new Set();
    const reached = [];
    const queue = [[globalThis, 'globalThis']];
    while (queue.length > 0 && seen.size < 50000) {
      const [value, path] = queue.shift();
      if ((typeof value !== 'object' && typeof value !== 'function') ||
          value === null || seen.has(value) || value === isNative)
        continue;
      seen.add(value);
      if (isNative(value)) { reached.push(path); continue; }
      queue.push([Object.getPrototypeOf(value), path + '.__proto__']);
      for (const key of Reflect.ownKeys(value)) {
        const d = Reflect.getOwnPropertyDescriptor(value, key);
        for (const part of ['value', 'get', 'set'])
          queue.push([d[part], path + '.' + String(key)]);
        if (d.get) try {
          const got = value[key];
          if (got instanceof Promise) got.catch(() => {});
          queue.push([got, path + '.' + String(key)]);
        } catch {}
      }
    }
    return seen.size > 500 ? reached : ['the search found too little'];
  })()`);
  assert.equal(JSON.stringify(found), '[]');
});

test('tick survives what a tool does to arrays', async () => {
  const cell = newCell();
  cell.run(`setTimeout(() => {}, 0);
    Array.prototype.shift = () => { throw new Error('patched'); };`);
  assert.equal(typeof cell.entry.tick(), 'number');
});

test('explain and unhandled never throw', () => {
  const cell = newCell();
  for (const [, [code]] of Object.entries(THROWN)) {
    const thrown = cell.run(`(${code})`);
    assert.equal(typeof JSON.parse(cell.entry.explain(thrown)).message,
        'string');
    cell.entry.unhandled(thrown);
  }
  assert.equal(cell.logs.length, Object.keys(THROWN).length);
});
