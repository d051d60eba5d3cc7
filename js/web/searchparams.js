// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';

/** setOwner(params, write): tells a URL; writeQuery(params, text): re-reads. */
export let setOwner, writeQuery;

function percentDecode(text) {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%'))
    return spaced.toWellFormed();
  try {
    return decodeURIComponent(spaced).toWellFormed();
  } catch {
    return decodeBytes(spaced);
  }
}

/** For sequences that are not UTF-8, or lone percent signs. */
function decodeBytes(text) {
  const utf8 = native.utf8Encode(text);
  const out = new Uint8Array(utf8.length);
  let length = 0;
  for (let i = 0; i < utf8.length; i++) {
    const pair = utf8[i] === 0x25 ?
      String.fromCharCode(utf8[i + 1] ?? 0, utf8[i + 2] ?? 0) : '';
    if (/^[0-9a-f]{2}$/i.test(pair)) {
      out[length++] = parseInt(pair, 16);
      i += 2;
    } else {
      out[length++] = utf8[i];
    }
  }
  return native.utf8Decode(out.subarray(0, length), false);
}

function percentEncode(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()~]|%20/g, (c) =>
    c === '%20' ? '+' : `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Pairs of application/x-www-form-urlencoded text. */
export function parseQuery(text) {
  const pairs = [];
  for (const part of text.split('&')) {
    if (part === '')
      continue;
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    const value = at < 0 ? '' : part.slice(at + 1);
    pairs.push([percentDecode(name), percentDecode(value)]);
  }
  return pairs;
}

function pairOf(pair) {
  const both = [...pair];
  if (both.length !== 2)
    throw new TypeError('URLSearchParams: a pair needs a name and a value');
  return [`${both[0]}`.toWellFormed(), `${both[1]}`.toWellFormed()];
}

export class URLSearchParams {
  #pairs = [];
  #write = null;

  static {
    setOwner = (params, write) => { params.#write = write; };
    writeQuery = (params, text) => {
      params.#pairs = parseQuery(text.startsWith('?') ? text.slice(1) : text);
    };
  }

  constructor(init = '') {
    if ((typeof init !== 'object' || init === null) &&
        typeof init !== 'function') {
      writeQuery(this, `${init}`);
    } else if (init[Symbol.iterator] !== undefined &&
        init[Symbol.iterator] !== null) {
      for (const pair of init)
        this.#pairs.push(pairOf(pair));
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, name)?.enumerable)
          this.#pairs.push(pairOf([name, init[name]]));
      }
    }
  }

  #changed() {
    this.#write?.(this.toString());
  }

  get size() { return this.#pairs.length; }

  append(name, value) {
    this.#pairs.push(pairOf([name, value]));
    this.#changed();
  }

  delete(name, value = undefined) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== `${name}` ||
        (value !== undefined && pair[1] !== `${value}`));
    this.#changed();
  }

  get(name) {
    return this.#pairs.find((pair) => pair[0] === `${name}`)?.[1] ?? null;
  }

  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === `${name}`)
      .map((pair) => pair[1]);
  }

  has(name, value = undefined) {
    return this.#pairs.some((pair) => pair[0] === `${name}` &&
        (value === undefined || pair[1] === `${value}`));
  }

  set(name, value) {
    const [key, text] = pairOf([name, value]);
    const first = this.#pairs.find((pair) => pair[0] === key);
    if (first === undefined) {
      this.#pairs.push([key, text]);
    } else {
      first[1] = text;
      this.#pairs = this.#pairs.filter((pair) =>
        pair === first || pair[0] !== key);
    }
    this.#changed();
  }

  sort() {
    this.#pairs.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
    this.#changed();
  }

  forEach(callback, thisArg = undefined) {
    for (const [name, value] of this)
      Reflect.apply(callback, thisArg, [value, name, this]);
  }

  *entries() {
    for (let i = 0; i < this.#pairs.length; i++)
      yield [...this.#pairs[i]];
  }

  *keys() {
    for (let i = 0; i < this.#pairs.length; i++)
      yield this.#pairs[i][0];
  }

  *values() {
    for (let i = 0; i < this.#pairs.length; i++)
      yield this.#pairs[i][1];
  }

  toString() {
    return this.#pairs.map(([name, value]) =>
      `${percentEncode(name)}=${percentEncode(value)}`).join('&');
  }
}

Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
  value: URLSearchParams.prototype.entries, writable: true, configurable: true,
});
