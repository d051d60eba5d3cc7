// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { signalAfter } from './abort.js';
import { Body, bodyClone, bodyFrom, bodyTake, impliedType, isDisturbed }
  from './body.js';
import { Headers, headersFrom, listOf } from './headers.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const UPPER = /^(?:delete|get|head|options|post|put)$/i;
const FORBIDDEN = /^(?:connect|trace|track)$/i;
const INTERNAL = Symbol('Request');

const DEFAULTS = {
  cache: 'default', credentials: 'same-origin', destination: '',
  integrity: '', keepalive: false, mode: 'cors', redirect: 'follow',
  referrer: 'about:client', referrerPolicy: '',
};
const OPTIONS = ['cache', 'credentials', 'integrity', 'keepalive', 'mode',
  'redirect', 'referrer', 'referrerPolicy'];

/**
 * requestFrom(method, url, list of headers, bytes): trusted, no parsing.
 * signalOf(request): null where nobody could abort it.
 */
export let requestFrom, signalOf;

function methodOf(method) {
  const text = `${method}`;
  if (!TOKEN.test(text) || FORBIDDEN.test(text))
    throw new TypeError(`Request: the method ${text.slice(0, 50)} is refused`);
  return UPPER.test(text) ? text.toUpperCase() : text;
}

function urlOf(input) {
  const parts = native.urlParse(`${input}`);
  if (parts === undefined) {
    throw new TypeError(`Request: not an absolute URL: ${
      `${input}`.slice(0, 200)}`);
  }
  if (/^[^/?#]*\/\/[^/?#]*@/.test(parts[0]))
    throw new TypeError('Request: a URL may not carry a user or password');
  return parts[0];
}

/** The body of a new Request: init's, or the one taken from another. */
function bodyOf(input, init) {
  if (init?.body !== undefined && init.body !== null)
    return init.body;
  if (!(input instanceof Request) || init?.body === null)
    return null;
  if (isDisturbed(input))
    throw new TypeError('Request: the body has been used already');
  const taken = bodyTake(input);
  return taken === null ? null : taken.text ?? taken.bytes ?? taken.stream;
}

export class Request extends Body {
  #method = 'GET';
  #url;
  #headers;
  #signal = null;
  #source = null; // the signal that ours follows
  #options = DEFAULTS;

  static {
    signalOf = (request) => request.#signal === null &&
      (request.#source === null || request.#source === undefined) ? null :
      request.signal;
    requestFrom = (method, url, headers, bytes) => {
      const request = new Request(INTERNAL);
      request.#method = method;
      request.#url = url;
      request.#headers = headersFrom(headers);
      if (bytes !== undefined)
        bodyFrom(request, bytes);
      return request;
    };
  }

  constructor(input, init = undefined) {
    super(input === INTERNAL ? null : bodyOf(input, init));
    if (input === INTERNAL)
      return;
    const from = input instanceof Request ? input : null;
    this.#url = from !== null ? from.#url : urlOf(input);
    this.#method = init?.method !== undefined ? methodOf(init.method) :
      from !== null ? from.#method : 'GET';
    this.#headers = new Headers(init?.headers ?? from?.headers);
    this.#source = init?.signal !== undefined ? init.signal :
      from !== null ? signalOf(from) : null;
    this.#take(from, init);
    this.#check(init);
  }

  #take(from, init) {
    this.#options = from === null ? DEFAULTS : from.#options;
    for (const name of OPTIONS) {
      if (init?.[name] !== undefined)
        this.#options = { ...this.#options, [name]: init[name] };
    }
  }

  #check(init) {
    const type = init?.body === undefined ? null : impliedType(this);
    if (type !== null && !this.#headers.has('content-type'))
      this.#headers.append('content-type', type);
    if (init?.body !== undefined && init.body !== null &&
        (this.#method === 'GET' || this.#method === 'HEAD')) {
      throw new TypeError(`Request: a ${this.#method} request has no body`);
    }
  }

  get method() { return this.#method; }
  get url() { return this.#url; }
  get headers() { return this.#headers; }
  get signal() { return this.#signal ??= signalAfter(this.#source); }
  get cache() { return this.#options.cache; }
  get credentials() { return this.#options.credentials; }
  get destination() { return this.#options.destination; }
  get duplex() { return 'half'; }
  get integrity() { return this.#options.integrity; }
  get keepalive() { return this.#options.keepalive; }
  get mode() { return this.#options.mode; }
  get redirect() { return this.#options.redirect; }
  get referrer() { return this.#options.referrer; }
  get referrerPolicy() { return this.#options.referrerPolicy; }

  clone() {
    const copy = requestFrom(this.#method, this.#url,
        [...listOf(this.#headers)], undefined);
    bodyClone(this, copy);
    copy.#options = this.#options;
    copy.#source = this.signal;
    return copy;
  }
}
