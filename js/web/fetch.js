// SPDX-License-Identifier: Apache-2.0
// fetch(), as the WHATWG has it, where it makes sense without a page: no
// cookies of ours, no cache, no CORS. What may be asked for is not decided here,
// but by egress, for each request and each redirect anew.

import { native } from '../native.js';
import { bodyTake } from './body.js';
import { codingsOf, decoded } from './decode.js';
import { Exchange, Failure, askGranted, isGranted, rehearse } from './exchange.js';
import { Headers, listOf } from './headers.js';
import { Request, signalOf } from './request.js';
import { responseFrom } from './response.js';

const REDIRECTS_MAX = 20;
const REDIRECTS = [301, 302, 303, 307, 308];
const WITH_BODY = /^(?:POST|PUT|PATCH)$/;
const EMPTY = new Uint8Array(0);
const NULL_BODY = [101, 103, 204, 205, 304];

/** What is the transport's to say; set by a tool, it is passed over. */
const FORBIDDEN = /^(?:connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|http2-settings)$/;
/** What leaves with a body that is left behind (Fetch, 4.4). */
const OF_BODY = ['content-encoding', 'content-language', 'content-location',
  'content-type', 'content-length'];
/** What is for the first origin alone. */
const OF_ORIGIN = ['authorization', 'cookie'];

const HINT = {
  __proto__: null,
  NO_EGRESS: 'no egress is granted to this server: the request to HOST was ' +
      'not made (cordon run --net HOST; on a host: "network" of its policy)',
  NO_CALL: 'the request to HOST was not made: nothing may be fetched while ' +
      'a server is loaded or warmed up, only during a call',
  INTERNAL: 'the way out (egress) was closed: try the request again',
  BAD: 'the request to HOST is larger than 64 KiB without its body',
};

/** The TypeError that stands for a failure; anything else is what it is. */
function errorOf(reason, url) {
  if (!(reason instanceof Failure))
    return reason;
  const host = /^[^/]*\/\/([^/?#]*)/.exec(url)?.[1] ?? url;
  const text = reason.message ?? HINT[reason.code].replaceAll('HOST', host);
  const start = reason.message === undefined ? 'fetch' : 'fetch failed';
  return new TypeError(`${start}: ${text}`, {
    cause: Object.assign(new Error(text), { code: reason.code }),
  });
}

/** One fetch: its request as it changes with redirects, its exchange. */
class Fetch {
  #method;
  #url;
  #headers;
  #body; // null, bytes or a reader
  #mode; // of redirects
  #nRedirects = 0;
  #exchange = null;
  #settle; // {resolve, reject} of the promise of the tool
  #forget = null; // no longer listens to the signal

  constructor(request, settle) {
    this.#method = request.method;
    this.#url = request.url.replace(/#.*$/, '');
    this.#mode = request.redirect;
    this.#settle = settle;
    const taken = bodyTake(request);
    this.#body = taken === null ? null :
      taken.stream !== undefined ? taken.stream.getReader() :
        taken.bytes ?? native.utf8Encode(taken.text);
    this.#headers = new Headers();
    const list = listOf(request.headers);
    for (let i = 0; i < list.length; i += 2) {
      if (!FORBIDDEN.test(list[i]))
        this.#headers.append(list[i], list[i + 1]);
    }
    this.#default('accept', '*/*');
    this.#default('user-agent', 'cordon');
    this.#default('accept-encoding', this.#headers.has('range') ? 'identity' :
      'gzip, deflate');
  }

  #default(name, value) {
    if (!this.#headers.has(name))
      this.#headers.append(name, value);
  }

  follow(signal) {
    const abort = () => {
      const { reason } = signal;
      this.#exchange.cancel(reason);
    };
    signal.addEventListener('abort', abort);
    this.#forget = () => signal.removeEventListener('abort', abort);
  }

  start() {
    // No body is an empty one, where there ought to be one (RFC 9110, 8.6).
    const body = this.#body === null && WITH_BODY.test(this.#method) ? EMPTY :
      this.#body;
    if (body instanceof Uint8Array)
      this.#headers.set('content-length', `${body.length}`);
    const text = `${this.#method}\0${this.#url}\0${
      listOf(this.#headers).map((part) => `${part}\0`).join('')}`;
    this.#exchange = new Exchange(text, body,
        (status, list) => this.#answered(status, list),
        (reason) => this.#failed(reason));
    this.#exchange.start();
  }

  #failed(reason) {
    this.#forget?.();
    this.#settle.reject(errorOf(reason, this.#url));
  }

  #answered(status, list) {
    const location = REDIRECTS.includes(status) && this.#mode !== 'manual' ?
      valueOf(list, 'location') : null;
    try {
      if (location !== null)
        this.#redirected(status, location);
      else
        this.#respond(status, list);
    } catch (error) {
      this.#exchange.cancel(error);
    }
  }

  #redirected(status, location) {
    if (this.#mode === 'error')
      throw new TypeError('fetch failed: the answer is a redirect, and the ' +
          'request says redirect: "error"');
    const parts = native.urlParse(location, this.#url);
    if (parts === undefined || !/^https?:/.test(parts[0]))
      throw new TypeError('fetch failed: the redirect leads to no http(s) URL');
    if (++this.#nRedirects > REDIRECTS_MAX)
      throw new TypeError(`fetch failed: more than ${REDIRECTS_MAX} redirects`);
    if (this.#body !== null && status !== 303 &&
        !(this.#body instanceof Uint8Array)) {
      throw new TypeError('fetch failed: the answer is a redirect, and a ' +
          'body that was a stream cannot be sent again');
    }
    this.#change(status, parts[0].replace(/#.*$/, ''));
    this.#exchange.leave();
    this.start();
  }

  /** Fetch, 4.4 "HTTP-redirect fetch". */
  #change(status, url) {
    const drop = (names) => names.forEach((name) => this.#headers.delete(name));
    if ((status <= 302 && this.#method === 'POST') ||
        (status === 303 && this.#method !== 'GET' && this.#method !== 'HEAD')) {
      this.#method = 'GET';
      this.#body = null;
      drop(OF_BODY);
    }
    if (originOf(url) !== originOf(this.#url))
      drop(OF_ORIGIN);
    this.#url = url;
  }

  #respond(status, list) {
    const exchange = this.#exchange;
    const url = this.#url;
    const isEmpty = this.#method === 'HEAD' || NULL_BODY.includes(status);
    const body = isEmpty ? null : bodyAround(exchange, url, this.#forget);
    const codings = isEmpty ? null :
      codingsOf(valueOf(list, 'content-encoding'));
    this.#settle.resolve(responseFrom({ status, list, url,
      redirected: this.#nRedirects > 0,
      body: codings === null ? body : decoded(body, codings) }));
    if (isEmpty)
      this.#forget?.();
  }
}

/** An exchange as a body: failures are TypeErrors, the signal is let go. */
function bodyAround(exchange, url, forget) {
  return {
    read: () => exchange.read().then((piece) => {
      if (piece === null)
        forget?.();
      return piece;
    }, (reason) => {
      forget?.();
      throw errorOf(reason, url);
    }),
    cancel(reason) {
      forget?.();
      exchange.cancel(reason);
    },
  };
}

function valueOf(list, name) {
  let found = null;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name)
      found = found === null ? list[i + 1] : `${found}, ${list[i + 1]}`;
  }
  return found;
}

const originOf = (url) => /^[^/]*\/\/[^/?#]*/.exec(url)[0];

export async function fetch(input, init = undefined) {
  const request = new Request(input, init);
  const signal = signalOf(request);
  signal?.throwIfAborted();
  if (!/^https?:/.test(request.url)) {
    throw new TypeError(`fetch: there is no way to ${
      request.url.slice(0, 100)}: only http and https`);
  }
  if (request.integrity !== '')
    throw new TypeError('fetch: integrity is not checked here: leave it out');
  return new Promise((resolve, reject) => {
    const one = new Fetch(request, { resolve, reject });
    if (signal !== null)
      one.follow(signal);
    one.start();
  });
}

const nothing = () => {};

/**
 * What the first fetch of a call would find cold is walked through, in the
 * template and in each cell before its call. Nothing leaves.
 */
export function warmFetches() {
  askGranted();
  if (!isGranted)
    return;
  rehearse(() => {
    fetch('http://warm-up.invalid/', { method: 'POST', body: '{}',
      headers: { 'content-type': 'application/json' } })
      .then((response) => response.json()).then(nothing, nothing);
  }, ['http://warm-up.invalid/', 'content-type', 'application/json'],
  native.utf8Encode('{}'));
}
