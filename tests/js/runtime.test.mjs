// SPDX-License-Identifier: Apache-2.0
// Events, timers, console, cloning, streams, async context, randomness.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, inside, newCell } from './harness.mjs';

test('events reach listeners in order, once, by signal, as objects', async () => {
  const cell = newCell();
  const seen = await inside(() => {
    const target = new EventTarget();
    const log = [];
    const controller = new AbortController();
    const twice = () => log.push('twice');
    target.addEventListener('x', twice);
    target.addEventListener('x', twice);
    target.addEventListener('x', () => log.push('once'), { once: true });
    target.addEventListener('x', { handleEvent(event) {
      log.push(`object ${event.currentTarget === target}`);
    } });
    target.addEventListener('x', () => { throw new Error('mine'); });
    target.addEventListener('x', (event) => event.preventDefault());
    target.addEventListener('x', () => log.push('signal'),
        { signal: controller.signal });
    const first = target.dispatchEvent(new Event('x', { cancelable: true }));
    controller.abort();
    target.removeEventListener('x', twice);
    target.addEventListener('x', (event) => event.stopImmediatePropagation());
    target.addEventListener('x', () => log.push('never'));
    const custom = new CustomEvent('x', { detail: 5 });
    target.dispatchEvent(custom);
    return [log, first, custom.detail, custom.target === target,
      custom.eventPhase];
  }, cell);
  assert.deepEqual(seen, [['twice', 'once', 'object true', 'signal',
    'object true'], false, 5, true, 0]);
  assert.match(cell.logs[0][1], /^Uncaught Error: mine/);
});

test('AbortSignal: reasons, any, timeout, onabort', async () => {
  const seen = await inside(async () => {
    const a = new AbortController();
    const b = new AbortController();
    const log = [];
    const any = AbortSignal.any([a.signal, AbortSignal.any([b.signal])]);
    any.onabort = (event) => log.push(event.type, event.isTrusted);
    b.abort('why');
    b.abort('again');
    const timeout = AbortSignal.timeout(2);
    await new Promise((resolve) =>
      timeout.addEventListener('abort', resolve, { once: true }));
    let thrown;
    try {
      AbortSignal.abort().throwIfAborted();
    } catch (error) {
      thrown = [error.name, error.code, error instanceof DOMException];
    }
    let illegal;
    try {
      illegal = new AbortSignal();
    } catch (error) {
      illegal = error.name;
    }
    return [log, any.reason, timeout.reason.name, thrown, illegal,
      a.signal.aborted];
  });
  assert.deepEqual(seen, [['abort', true], 'why', 'TimeoutError',
    ['AbortError', 20, true], 'TypeError', false]);
});

test('timers run in the order they are due, and can be cleared', async () => {
  const cell = newCell();
  const seen = await inside(async () => {
    const log = [];
    setTimeout((...args) => log.push('b', ...args), 4, 1, 2);
    setTimeout(() => log.push('a'), 0);
    queueMicrotask(() => log.push('micro'));
    clearTimeout(setTimeout(() => log.push('never'), 1));
    setTimeout(() => { throw new Error('in a timer'); }, 1);
    let interval;
    await new Promise((resolve) => {
      interval = setInterval(() => {
        log.push('i');
        if (log.filter((one) => one === 'i').length === 2) {
          clearInterval(interval);
          setTimeout(resolve, 10);
        }
      }, 2);
    });
    return [log, typeof interval];
  }, cell);
  const at = (one) => seen[0].indexOf(one);
  assert.ok(at('micro') === 0 && at('a') === 1 && at('b') > at('i'), seen[0]);
  assert.equal(seen[0].filter((one) => one === 'i').length, 2);
  assert.ok(!seen[0].includes('never'));
  assert.equal(seen[1], 'number');
  assert.match(cell.logs[0][1], /^Uncaught Error: in a timer/);
});

test('begin() forgets the timers of the warm-up', () => {
  const cell = newCell();
  cell.run('setInterval(() => {}, 1); setTimeout(() => {}, 1)');
  assert.ok(cell.entry.tick() >= 0);
  cell.entry.begin();
  assert.equal(cell.entry.tick(), -1);
});

test('the console shows values, boundedly, and runs nothing', () => {
  const cell = newCell();
  cell.run(`
    class Point { constructor() { this.x = 1; this.y = [1, , 'é']; } }
    const cyclic = { name: 'c' };
    cyclic.self = cyclic;
    console.log('%s is %d and %o%%', 'a', 42, { b: 1 }, 'rest', 5n);
    console.info(new Point(), new Map([['k', new Set([1])]]), cyclic);
    console.warn({ get x() { throw 1; } }, new Proxy({}, { get() { throw 1; },
      ownKeys() { throw 1; }, getPrototypeOf() { throw 1; } }));
    console.error([undefined, null, -0, Symbol('s'), () => 1, class A {},
      new Date(0), /re/g, new Uint8Array(3), Promise.resolve(1),
      Object.create(null)]);
    console.debug('x'.repeat(100000));
    console.log({ a: { b: { c: { d: { e: 1 } } } } });
    console.group('G'); console.log('in\\nside'); console.groupEnd();
    console.assert(1 === 2, 'math'); console.count(); console.count();
    console.table([{ a: 1, b: 'x' }, { a: 2 }]);
    console.log({ get stack() { while (false); }, message: 1 });
    console.log(Object.assign(new Error('boom'), { code: 'E' }));
    console.log(new Array(1e6).fill(0));
    console.log(); console.log('%'); console.log('100%', 1);
  `);
  const lines = cell.logs.map(([, text]) => text);
  const levels = cell.logs.map(([level]) => level);
  assert.equal(lines[0], 'a is 42 and { b: 1 }% rest 5n');
  assert.match(lines[1], /^Point \{ x: 1, y: \[ 1, <empty>, 'é' \] \} /);
  assert.match(lines[1], /Map\(1\) \{ 'k' => Set\(1\) \{ 1 \} \}/);
  assert.match(lines[1], /self: \[Circular\]/);
  assert.equal(lines[2], '{ x: [Getter] } [Proxy]');
  for (const part of ['undefined', 'null', '-0', 'Symbol(s)', '[Function',
    '[class: A]', '1970-01-01T00:00:00.000Z', '/re/g',
    'Uint8Array(3) [ 0, 0, 0 ]', 'Promise', '[Object: null prototype] {}'])
    assert.ok(lines[3].includes(part), `${part} in ${lines[3]}`);
  assert.ok(lines[4].length < 17000);
  assert.match(lines[5], /d: \[Object\]/);
  assert.deepEqual(lines.slice(6, 8), ['G', '  in\n  side']);
  assert.deepEqual(lines.slice(8, 11),
      ['Assertion failed: math', 'default: 1', 'default: 2']);
  assert.match(lines[11], /│ 0 +│ 1 │ 'x' │/);
  assert.match(lines[13], /^Error: boom\n[^]*code: 'E'/);
  assert.match(lines[14], /… 999900 more/);
  assert.deepEqual(lines.slice(15), ['', '%', '100% 1']);
  assert.deepEqual(levels.slice(0, 5), [1, 1, 2, 3, 0]);
});

test('structuredClone copies, transfers, and names what it cannot', async () => {
  const seen = await inside(() => {
    const buffer = new ArrayBuffer(3);
    const cyclic = { when: new Date(7), map: new Map([[1, 2]]) };
    cyclic.self = cyclic;
    const copy = structuredClone(cyclic);
    structuredClone(buffer, { transfer: [buffer] });
    let failed;
    try {
      structuredClone(() => {});
    } catch (error) {
      failed = [error.name, error.code, error instanceof DOMException];
    }
    return [copy.self === copy, copy.when.getTime(), copy.map.get(1),
      copy !== cyclic, buffer.byteLength, failed];
  });
  assert.deepEqual(seen, [true, 7, 2, true, 0, ['DataCloneError', 25, true]]);
});

test('streams tee, transform, pipe and abort', async () => {
  const seen = await inside(async () => {
    const of = () => ReadableStream.from(['a', 'b', 'c']);
    const collect = async (stream) => {
      const all = [];
      for await (const chunk of stream)
        all.push(chunk);
      return all.join('');
    };
    const upper = () => new TransformStream({ transform(chunk, controller) {
      controller.enqueue(chunk.toUpperCase());
    } });
    const [left, right] = of().tee();
    const written = [];
    await of().pipeThrough(upper()).pipeTo(new WritableStream({
      write(chunk) { written.push(chunk); } }));
    const controller = new AbortController();
    const piping = new ReadableStream().pipeTo(new WritableStream(),
        { signal: controller.signal });
    controller.abort();
    return [await collect(left), await collect(right), written.join(''),
      await piping.catch((error) => error.name),
      new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark];
  });
  assert.deepEqual(seen, ['abc', 'abc', 'ABC', 'AbortError', 3]);
});

test('compression round-trips in every format, refuses garbage', async () => {
  const seen = await inside(async () => {
    const through = (bytes, stream) => new Response(new Blob([bytes]).stream()
      .pipeThrough(stream)).bytes();
    const text = 'hello '.repeat(500);
    const results = [];
    for (const format of ['gzip', 'deflate', 'deflate-raw']) {
      const small = await through(text, new CompressionStream(format));
      const back = await through(small, new DecompressionStream(format));
      results.push(small.length < 200 &&
          new TextDecoder().decode(back) === text);
    }
    const known = Uint8Array.fromBase64(
        'H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==');
    const bad = await through('not gzip at all', new DecompressionStream('gzip'))
      .catch((error) => error.name);
    return [results, new TextDecoder().decode(
        await through(known, new DecompressionStream('gzip'))), bad];
  });
  assert.deepEqual(seen, [[true, true, true], 'hello', 'TypeError']);
});

test('messages cross a channel as copies', async () => {
  const seen = await inside(async () => {
    const { port1, port2 } = new MessageChannel();
    const sent = { a: [1] };
    const got = await new Promise((resolve) => {
      port2.onmessage = (event) => resolve(event.data);
      port1.postMessage(sent);
    });
    return [got, got !== sent];
  });
  assert.deepEqual(seen, [{ a: [1] }, true]);
});

test('AsyncLocalStorage: run, exit, snapshot, timers', async () => {
  const cell = newCell();
  const namespace = await evaluate(cell, `
    import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
    import hooks from 'async_hooks';
    export async function probe() {
      const a = new AsyncLocalStorage();
      const b = new AsyncLocalStorage();
      const log = [hooks.AsyncLocalStorage === AsyncLocalStorage];
      let bound, snapshot;
      a.run(1, () => b.run(2, () => {
        log.push(a.getStore(), b.getStore());
        a.run(3, () => log.push(a.getStore(), b.getStore()));
        a.exit(() => log.push(a.getStore() ?? null, b.getStore()));
        bound = AsyncResource.bind(() => a.getStore());
        snapshot = AsyncLocalStorage.snapshot();
        setTimeout(() => log.push(a.getStore()), 0);
      }));
      log.push(a.getStore() ?? null, bound(), snapshot(() => b.getStore()));
      await new Promise((resolve) => setTimeout(resolve, 3));
      return log;
    }`);
  cell.context.probe = namespace.probe;
  assert.deepEqual(await inside('() => probe()', cell),
      [true, 1, 2, 3, 2, null, 2, null, 1, 2, 1]);
});

test('Math.random follows the state that the glue fills', () => {
  const cell = newCell();
  const draw = () => cell.run('Array.from({ length: 4 }, Math.random)+""');
  cell.native.randomState.set([1, 2, 3, 4]);
  const first = draw();
  assert.notEqual(draw(), first);
  cell.native.randomState.set([1, 2, 3, 4]);
  assert.equal(draw(), first);
  assert.equal(cell.run('Math.random.name + Math.random.length'), 'random0');
  cell.native.randomState.set([5, 6, 7, 8]);
  const mean = cell.run(`let s = 0; let out = 0;
    for (let i = 0; i < 1e5; i++) { const r = Math.random(); s += r;
      if (!(r >= 0 && r < 1)) out++; }
    out === 0 ? s / 1e5 : NaN`);
  assert.ok(Math.abs(mean - 0.5) < 0.01, `${mean}`);
});

test('what must not exist does not, what must does', async () => {
  const seen = await inside(() => [
    ['global', 'process', 'require', 'Buffer', 'platform', 'bootstrap',
      'native'].filter((name) => name in globalThis),
    ['ReadableStream', 'URLPattern', 'CompressionStream', 'MessageChannel',
      'CryptoKey', 'File', 'reportError', 'TextDecoderStream', 'DOMException']
      .filter((name) => typeof globalThis[name] !== 'function'),
    navigator.userAgent, self === globalThis, typeof performance.now(),
    Object.prototype.toString.call(new Headers()),
    Object.keys(globalThis),
  ]);
  assert.deepEqual(seen, [[], [], 'cordon', true, 'number', '[object Headers]',
    []]);
  await assert.rejects(inside(() => eval('1')), { name: 'EvalError' });
  await assert.rejects(inside(() => new Function('1')), { name: 'EvalError' });
});

test('performance marks and measures', async () => {
  const seen = await inside(() => {
    performance.mark('a', { startTime: 1 });
    performance.mark('b', { startTime: 4 });
    const { duration } = performance.measure('m', 'a', 'b');
    return [duration, performance.getEntriesByType('mark').length,
      Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 50];
  });
  assert.deepEqual(seen, [3, 2, true]);
});
