// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { jsonStringify } from '../primordials.js';
import { Body, bodyClone, bodyComing, impliedType } from './body.js';
import { Headers, headersFrom, listOf } from './headers.js';

const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const NULL_BODY = [101, 103, 204, 205, 304];
const REDIRECT = [301, 302, 303, 307, 308];

/**
 * responseParts(value): `[status, list of headers]`, undefined for others.
 * responseFrom({status, list, url, redirected, body}): what fetch() gives; takes
 * the list; `body`: null, or what bodyComing() takes.
 */
export let responseParts, responseFrom;

function statusOf(status) {
  const number = Math.trunc(+status);
  if (!(number >= 200 && number <= 599)) {
    throw new RangeError(`Response: the status ${status} is not one of ` +
        '200 to 599');
  }
  return number;
}

export class Response extends Body {
  #status = 200;
  #statusText = '';
  #headers;
  #type = 'default';
  #url = '';
  #redirected = false;

  static {
    responseFrom = ({ status, list, url, redirected, body }) => {
      const response = new Response();
      response.#status = status;
      response.#headers = headersFrom(list);
      response.#type = 'basic';
      response.#url = url;
      response.#redirected = redirected;
      if (body !== null)
        bodyComing(response, body);
      return response;
    };
    responseParts = (value) => typeof value === 'object' && value !== null &&
      !native.isProxy(value) && #status in value ?
      [value.#status, listOf(value.#headers)] : undefined;
  }

  constructor(body = null, init = undefined) {
    super(body);
    if (init?.status !== undefined)
      this.#status = statusOf(init.status);
    if (init?.statusText !== undefined) {
      this.#statusText = `${init.statusText}`;
      if (!REASON.test(this.#statusText))
        throw new TypeError('Response: the status text is not a reason phrase');
    }
    this.#headers = new Headers(init?.headers);
    if (body === null || body === undefined)
      return;
    if (NULL_BODY.includes(this.#status)) {
      throw new TypeError(`Response: status ${this.#status} allows no body`);
    }
    const type = impliedType(this);
    if (type !== null && !this.#headers.has('content-type'))
      this.#headers.append('content-type', type);
  }

  static json(data, init = undefined) {
    const text = jsonStringify(data);
    if (text === undefined)
      throw new TypeError('Response.json: the value is not JSON');
    const response = new Response(text, init);
    if (new Headers(init?.headers).get('content-type') === null)
      response.#headers.set('content-type', 'application/json');
    return response;
  }

  static error() {
    const response = new Response();
    response.#status = 0;
    response.#type = 'error';
    return response;
  }

  static redirect(url, status = 302) {
    const parts = native.urlParse(`${url}`);
    if (parts === undefined)
      throw new TypeError(`Response.redirect: not an absolute URL: ${url}`);
    if (!REDIRECT.includes(status))
      throw new RangeError(`Response.redirect: ${status} is no redirect`);
    const response = new Response(null, { status });
    response.#headers.append('location', parts[0]);
    return response;
  }

  get type() { return this.#type; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#statusText; }
  get headers() { return this.#headers; }

  clone() {
    const copy = new Response();
    bodyClone(this, copy);
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#type = this.#type;
    copy.#url = this.#url;
    copy.#redirected = this.#redirected;
    copy.#headers = new Headers(this.#headers);
    return copy;
  }
}
