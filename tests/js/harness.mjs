// SPDX-License-Identifier: Apache-2.0
// The platform in a bare V8 context, with the glue played by Node.

import { createHash, createHmac, randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isArrayBuffer, isPromise, isProxy, isUint8Array }
  from 'node:util/types';
import v8 from 'node:v8';
import vm from 'node:vm';
import { endName, inflateNatives, noEgress } from './egress.mjs';

if (vm.SourceTextModule === undefined)
  throw new Error('run these tests with node --experimental-vm-modules');

const ABSENT = 0xffffffff;
const script = process.env.CORDON_PLATFORM ??
  new URL('../../build/cordon-platform.js', import.meta.url);
const source = readFileSync(script, 'utf8');
const compiled = new vm.Script(source, { filename: 'cordon:platform' });

/** A parsed URL as ada's url_aggregator describes it. */
function components(url) {
  const { href } = url;
  const protocolEnd = url.protocol.length;
  const hasHost = href.startsWith('//', protocolEnd) &&
      (url.host !== '' || /^[^:]+:\/\//.test(href));
  let at = protocolEnd + (hasHost ? 2 : 0);
  const usernameEnd = at + url.username.length;
  let hostStart = usernameEnd;
  if (url.password !== '')
    hostStart += 1 + url.password.length;
  const credentials = url.username !== '' || url.password !== '';
  const hostEnd = hostStart + (credentials ? 1 : 0) + url.hostname.length;
  at = hostEnd + (url.port === '' ? 0 : 1 + url.port.length);
  if (!hasHost && href.startsWith('/.//', at))
    at += 2;
  const fragment = href.indexOf('#');
  const query = href.slice(0, fragment < 0 ? undefined : fragment).indexOf('?');
  return [href, protocolEnd, usernameEnd, hostStart, hostEnd,
    url.port === '' ? ABSENT : Number(url.port), at,
    query < 0 ? ABSENT : query, fragment < 0 ? ABSENT : fragment];
}

function parseUrl(text, base) {
  const url = URL.parse(text, base);
  return url === null ? undefined : components(url);
}

function setUrl(href, part, value) {
  const url = new URL(href);
  try {
    url[part] = value;
  } catch {
    return undefined;
  }
  return components(url);
}

/** Node's functions for `native`; `log` gathers what the platform says. */
function newNative(realm, out) {
  const inside = (bytes) => new realm.Uint8Array(bytes);
  const start = performance.now();
  let continuation;
  return {
    log: (level, text) => out.logs.push([level, text]),
    result: (text) => out.events.push(['result', text]),
    fail: (code, json) => out.events.push(['fail', code, json]),
    head: (json) => out.events.push(['head', json]),
    chunk: (bytes) =>
      out.events.push(['chunk', Buffer.from(new Uint8Array(bytes))]),
    end: () => out.events.push(['end']),
    done: () => { out.events.push(['done']); out.wake?.(); },
    note: (json) => { out.notes.push(JSON.parse(json)); },
    ask: (number, json) => {
      if (json.length > out.askMax)
        return false;
      out.asks.push({ number, ...JSON.parse(json) });
      return true;
    },
    fetchStart: (...args) => out.egress.fetchStart(...args),
    fetchBody: (...args) => out.egress.fetchBody(...args),
    fetchRoom: (...args) => out.egress.fetchRoom(...args),
    fetchCancel: (...args) => out.egress.fetchCancel(...args),
    fetchEndName: endName,
    ...inflateNatives(inside),
    random: (bytes) => { randomFillSync(bytes); },
    now: () => Math.round((performance.now() - start) * 10) / 10,
    utf8Encode: (text) => inside(Buffer.from(text.toWellFormed())),
    utf8EncodeInto: (text, bytes) => {
      const { read, written } = new TextEncoder().encodeInto(text, bytes);
      return new realm.Array(read, written);
    },
    utf8Decode: (bytes, fatal) => {
      try {
        return new TextDecoder('utf-8', { fatal, ignoreBOM: true })
          .decode(bytes);
      } catch (error) {
        throw new realm.TypeError(error.message);
      }
    },
    digest: (name, bytes) => inside(
        createHash(name.replace('-', '')).update(bytes).digest()),
    hmac: (name, key, bytes) => inside(
        createHmac(name.replace('-', ''), key).update(bytes).digest()),
    urlParse: parseUrl,
    urlSet: setUrl,
    structuredClone: (value, transfer) => clone(value, transfer),
    getContinuation: () => continuation,
    setContinuation: (value) => { continuation = value; },
    randomState: new Uint32Array(randomFillSync(new Uint8Array(16)).buffer),
    isPromise, isProxy, isArrayBuffer, isUint8Array,
  };
}

/** V8's serializer. The copy belongs to the outer realm: good for data. */
function clone(value, transfer) {
  let copy;
  try {
    copy = v8.deserialize(v8.serialize(value));
  } catch (error) {
    throw Object.assign(new Error(error.message), { name: 'DataCloneError' });
  }
  for (const buffer of transfer)
    structuredClone(buffer, { transfer: [buffer] });
  return copy;
}

/**
 * A fresh cell: `{context, entry, logs, events, notes, asks, run(code)}`. Its way
 * out is a FakeEgress, or there is none.
 */
export function newCell(egress = noEgress) {
  const context = vm.createContext({}, {
    codeGeneration: { strings: false, wasm: true },
  });
  const realm = vm.runInContext('({ Uint8Array, Array, TypeError })', context);
  const out = { logs: [], events: [], notes: [], asks: [], askMax: 1 << 20,
    wake: null, egress };
  const bootstrap = compiled.runInContext(context);
  const native = newNative(realm, out);
  const entry = bootstrap(native);
  const run = (code, filename = 'tool.js') =>
    new vm.Script(code, { filename }).runInContext(context);
  egress.attach?.({ entry }, (bytes) => new realm.Uint8Array(bytes));
  return Object.assign(out, { context, entry, run, native });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Plays the glue's loop until the call is done. `client`, if there is one,
 * answers what was asked: `{result}`, `{error}` or nothing.
 */
export async function finish(cell, { limit = 5000, client } = {}) {
  const end = performance.now() + limit;
  const isDone = () => cell.events.some(([what]) => what === 'done');
  let idle = 0;
  while (!isDone()) {
    if (performance.now() > end)
      throw new Error(`the call does not end: ${JSON.stringify(cell.events)}`);
    await turn();
    while (client !== undefined && cell.asks.length > 0) {
      const asked = cell.asks.shift();
      cell.entry.answer(asked.number, JSON.stringify(client(asked)));
    }
    const wait = cell.entry.tick();
    await turn();
    if (wait < 0 && ++idle > 20 && !isDone()) {
      // The glue's own words for a call that nothing can end.
      cell.events.push(['fail', 'timeout', '{"message":"can never end"}'],
          ['done']);
    } else if (wait > 0)
      await pause(Math.min(wait, 20));
  }
  return cell.events;
}

/** The namespace of an ES module's source, evaluated in the cell. */
export async function evaluate(cell, code, filename = 'tool.js') {
  const module = new vm.SourceTextModule(code,
      { context: cell.context, identifier: filename });
  await module.link((specifier) => {
    const builtin = cell.entry.builtins[specifier];
    if (builtin === undefined)
      throw new Error(`no module ${specifier}`);
    const names = ['default', ...Object.keys(builtin)];
    return new vm.SyntheticModule(names, function fill() {
      this.setExport('default', builtin);
      for (const name of names.slice(1))
        this.setExport(name, builtin[name]);
    }, { context: cell.context });
  });
  await module.evaluate();
  return module.namespace;
}

/** Evaluates a tool and makes one call; returns what the glue would see. */
export async function callTool(code, request, cell = newCell(), client) {
  const namespace = await evaluate(cell, code);
  cell.surface = JSON.parse(cell.entry.describe(namespace, undefined, 'tool'));
  cell.entry.begin();
  cell.entry.call(0, JSON.stringify(request));
  return finish(cell, { client });
}

/** Sends a request to a bundle; returns `{status, headers, body, events}`. */
export async function sendRequest(cell, { method = 'POST', url, headers = [],
  body }) {
  cell.events.length = 0;
  cell.entry.begin();
  const bytes = body === undefined ? undefined : cell.native.utf8Encode(body);
  cell.entry.call(1, JSON.stringify({ method, url, headers }), bytes);
  const events = await finish(cell);
  const head = events.find(([what]) => what === 'head');
  if (head === undefined)
    return { events };
  const [status, list] = JSON.parse(head[1]);
  const chunks = events.filter(([what]) => what === 'chunk')
    .map(([, bytes]) => bytes);
  return { status, headers: list, events,
    body: Buffer.concat(chunks).toString() };
}

/**
 * Runs a function inside a cell (it sees nothing of this realm) and returns
 * what it returns, through JSON.
 */
export async function inside(fn, cell = newCell()) {
  let done = false;
  const settled = cell.run(`(async () => (${fn})())()`)
    .finally(() => { done = true; });
  settled.catch(() => {});
  for (let i = 0; !done && i < 5000; i++) {
    await turn();
    if (cell.entry.tick() > 0)
      await pause(1);
  }
  const json = cell.run('JSON.stringify')(await settled);
  return json === undefined ? undefined : JSON.parse(json);
}
