// SPDX-License-Identifier: Apache-2.0
// As much of the web platform as an official SDK server touches while it
// answers one call, for isolates that have none of it. Not a whole platform:
// what is missing here only makes the peer faster.
import { ReadableStream, TransformStream, WritableStream } from 'web-streams-polyfill';
import URLSearchParams from 'core-js-pure/features/url-search-params';
import URL from 'core-js-pure/features/url';
import structuredClone from 'core-js-pure/features/structured-clone';
import atob from 'core-js-pure/features/atob';
import btoa from 'core-js-pure/features/btoa';
import { Event, EventTarget } from 'event-target-shim';

class TextEncoder {
  encode(text = '') {
    const bytes = unescape(encodeURIComponent(text));
    return Uint8Array.from(bytes, (c) => c.charCodeAt(0));
  }
}

class TextDecoder {
  decode(bytes = new Uint8Array()) {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return decodeURIComponent(escape(text));
  }
}

class Headers {
  #map = new Map();
  constructor(init = []) {
    const pairs = init[Symbol.iterator] !== undefined ? init : Object.entries(init);
    for (const [name, value] of pairs) this.set(name, value);
  }
  get(name) { return this.#map.get(name.toLowerCase()) ?? null; }
  has(name) { return this.#map.has(name.toLowerCase()); }
  set(name, value) { this.#map.set(name.toLowerCase(), String(value)); }
  append(name, value) { this.set(name, this.has(name) ? `${this.get(name)}, ${value}` : value); }
  delete(name) { this.#map.delete(name.toLowerCase()); }
  forEach(visit) { this.#map.forEach((value, name) => visit(value, name, this)); }
  entries() { return this.#map.entries(); }
  keys() { return this.#map.keys(); }
  values() { return this.#map.values(); }
  [Symbol.iterator]() { return this.#map.entries(); }
}

async function readAll(stream) {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of stream.values()) text += typeof piece === 'string' ? piece : decoder.decode(piece);
  return text;
}

class Body {
  constructor(body) {
    this.bodyUsed = false;
    this.raw = body ?? null;
  }
  get body() {
    if (this.raw === null || this.raw instanceof ReadableStream) return this.raw;
    const bytes = typeof this.raw === 'string' ? new TextEncoder().encode(this.raw) : this.raw;
    this.raw = new ReadableStream({ start(controller) { controller.enqueue(bytes); controller.close(); } });
    return this.raw;
  }
  async text() {
    this.bodyUsed = true;
    if (this.raw === null || typeof this.raw === 'string') return this.raw ?? '';
    return readAll(this.body);
  }
  async json() { return JSON.parse(await this.text()); }
}

class AbortSignal extends EventTarget {
  aborted = false;
  reason = undefined;
  throwIfAborted() { if (this.aborted) throw this.reason; }
}

class AbortController {
  signal = new AbortSignal();
  abort(reason = new Error('aborted')) {
    if (this.signal.aborted) return;
    Object.assign(this.signal, { aborted: true, reason });
    this.signal.dispatchEvent(new Event('abort'));
  }
}

class Request extends Body {
  constructor(input, init = {}) {
    super(init.body ?? input.raw);
    this.url = String(input.url ?? input);
    this.method = init.method ?? input.method ?? 'GET';
    this.headers = new Headers(init.headers ?? input.headers);
    this.signal = init.signal ?? new AbortController().signal;
  }
  clone() { return new Request(this); }
}

class Response extends Body {
  constructor(body, { status = 200, statusText = '', headers } = {}) {
    super(body);
    this.status = status;
    this.ok = status >= 200 && status < 300;
    this.statusText = statusText;
    this.headers = new Headers(headers);
  }
  static json(value, init = {}) {
    return new Response(JSON.stringify(value), { ...init, headers: { 'content-type': 'application/json', ...init.headers } });
  }
}

const crypto = {
  getRandomValues: (array) => array.map(() => Math.random() * 4294967296),
  randomUUID: () => 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () => Math.floor(Math.random() * 16).toString(16)),
};
const console = Object.fromEntries(['log', 'info', 'warn', 'error', 'debug'].map((level) => [level, () => {}]));

Object.assign(globalThis, {
  ReadableStream, TransformStream, WritableStream, URL, URLSearchParams, structuredClone, atob, btoa, Event, EventTarget,
  TextEncoder, TextDecoder, Headers, AbortSignal, AbortController, Request, Response, crypto, console,
  setTimeout: () => 0, clearTimeout() {}, setInterval: () => 0, clearInterval() {}, // nothing of a call waits on time
  queueMicrotask: (task) => { Promise.resolve().then(task); },
});
