// SPDX-License-Identifier: Apache-2.0
// URL parsing is the glue's; these classes only cut the href it returns.

import { native } from '../native.js';
import { setOwner, URLSearchParams, writeQuery } from './searchparams.js';

const ABSENT = 0xffffffff;
const SPECIAL = /^(?:https?|wss?|ftp):$/;

// The places of native.urlParse().
const HREF = 0;
const PROTOCOL_END = 1;
const USERNAME_END = 2;
const HOST_START = 3;
const HOST_END = 4;
const PORT = 5;
const PATHNAME_START = 6;
const SEARCH_START = 7;
const HASH_START = 8;

export class URL {
  #parts;
  #params = null;

  constructor(url, base = undefined) {
    const text = `${url}`;
    const parts = base === undefined ? native.urlParse(text) :
      native.urlParse(text, `${base}`);
    if (parts === undefined) {
      const error = new TypeError(`Invalid URL: ${text.slice(0, 200)}`);
      error.code = 'ERR_INVALID_URL';
      error.input = text;
      throw error;
    }
    this.#parts = parts;
  }

  static canParse(url, base = undefined) {
    return (base === undefined ? native.urlParse(`${url}`) :
      native.urlParse(`${url}`, `${base}`)) !== undefined;
  }

  static parse(url, base = undefined) {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }

  #cut(from, to) {
    return this.#parts[HREF].slice(from, to);
  }

  #set(part, value) {
    const parts = native.urlSet(this.#parts[HREF], part, `${value}`);
    if (parts === undefined)
      throw new TypeError(`Invalid URL: ${value}`);
    this.#parts = parts;
    if (this.#params !== null && (part === 'href' || part === 'search'))
      writeQuery(this.#params, this.search);
  }

  /** Where the host's own characters begin. */
  #host() {
    const start = this.#parts[HOST_START];
    return this.#parts[HREF][start] === '@' ? start + 1 : start;
  }

  get href() { return this.#parts[HREF]; }
  set href(value) { this.#set('href', value); }

  get origin() {
    const { protocol } = this;
    if (SPECIAL.test(protocol))
      return `${protocol}//${this.host}`;
    if (protocol !== 'blob:')
      return 'null';
    const inner = URL.parse(this.pathname);
    return inner !== null && /^https?:$/.test(inner.protocol) ?
      inner.origin : 'null';
  }

  get protocol() { return this.#cut(0, this.#parts[PROTOCOL_END]); }
  set protocol(value) { this.#set('protocol', value); }

  get username() {
    const start = this.#parts[PROTOCOL_END] + 2;
    const end = this.#parts[USERNAME_END];
    return start < end ? this.#cut(start, end) : '';
  }
  set username(value) { this.#set('username', value); }

  get password() {
    const start = this.#parts[USERNAME_END];
    const end = this.#parts[HOST_START];
    return start < end ? this.#cut(start + 1, end) : '';
  }
  set password(value) { this.#set('password', value); }

  get host() {
    const { hostname, port } = this;
    return port === '' ? hostname : `${hostname}:${port}`;
  }
  set host(value) { this.#set('host', value); }

  get hostname() { return this.#cut(this.#host(), this.#parts[HOST_END]); }
  set hostname(value) { this.#set('hostname', value); }

  get port() {
    const port = this.#parts[PORT];
    return port === ABSENT ? '' : `${port}`;
  }
  set port(value) { this.#set('port', value); }

  get pathname() {
    const search = this.#parts[SEARCH_START];
    const hash = this.#parts[HASH_START];
    return this.#cut(this.#parts[PATHNAME_START],
        search !== ABSENT ? search : hash !== ABSENT ? hash : undefined);
  }
  set pathname(value) { this.#set('pathname', value); }

  get search() {
    const start = this.#parts[SEARCH_START];
    if (start === ABSENT)
      return '';
    const hash = this.#parts[HASH_START];
    const text = this.#cut(start, hash === ABSENT ? undefined : hash);
    return text === '?' ? '' : text;
  }
  set search(value) { this.#set('search', value); }

  get hash() {
    const start = this.#parts[HASH_START];
    const text = start === ABSENT ? '' : this.#cut(start);
    return text === '#' ? '' : text;
  }
  set hash(value) { this.#set('hash', value); }

  get searchParams() {
    if (this.#params === null) {
      this.#params = new URLSearchParams(this.search);
      setOwner(this.#params, (query) => {
        this.#parts = native.urlSet(this.#parts[HREF], 'search', query);
      });
    }
    return this.#params;
  }

  toString() { return this.href; }
  toJSON() { return this.href; }
}
