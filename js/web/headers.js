// SPDX-License-Identifier: Apache-2.0
// A list [name, value, name, value …], names in lower case: few headers, short
// lists, no map to fill on the way of a call.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\0-\xff]/;
const EDGES = /^[\t\n\r ]+|[\t\n\r ]+$/g;

/** headersFrom(list): takes the list; listOf(headers): borrows it. */
export let headersFrom, listOf;

function nameOf(name) {
  const text = `${name}`;
  if (!TOKEN.test(text)) {
    throw new TypeError('Headers: not a header name: ' +
        JSON.stringify(text.slice(0, 100)));
  }
  return text.toLowerCase();
}

function valueOf(name, value) {
  const text = `${value}`.replace(EDGES, '');
  if (BAD_VALUE.test(text)) {
    throw new TypeError(`Headers: the value of ${name} holds a character ` +
        'that a header may not');
  }
  return text;
}

export class Headers {
  #list = [];
  #pairs = null; // what #sorted() found, until the list changes

  static {
    listOf = (headers) => headers.#list;
    headersFrom = (list) => {
      const headers = new Headers();
      headers.#list = list;
      return headers;
    };
  }

  constructor(init = undefined) {
    if (init === undefined)
      return;
    if (init === null || typeof init !== 'object') {
      throw new TypeError('Headers: the argument is neither a list of pairs ' +
          'nor an object');
    }
    if (#list in init && init[Symbol.iterator] === entries)
      this.#list = [...init.#list];
    else
      this.#fill(init);
  }

  #fill(init) {
    if (init[Symbol.iterator] !== undefined) {
      for (const pair of init) {
        const both = [...pair];
        if (both.length !== 2)
          throw new TypeError('Headers: a pair needs a name and a value');
        this.append(both[0], both[1]);
      }
      return;
    }
    for (const name of Reflect.ownKeys(init)) {
      if (Object.getOwnPropertyDescriptor(init, name)?.enumerable)
        this.append(name, init[name]);
    }
  }

  append(name, value) {
    const key = nameOf(name);
    this.#pairs = null;
    this.#list.push(key, valueOf(key, value));
  }

  delete(name) {
    this.#remove(nameOf(name), 0);
  }

  #remove(key, from) {
    this.#pairs = null;
    for (let i = this.#list.length - 2; i >= from; i -= 2) {
      if (this.#list[i] === key)
        this.#list.splice(i, 2);
    }
  }

  get(name) {
    const key = nameOf(name);
    const list = this.#list;
    let found = null;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key)
        found = found === null ? list[i + 1] : `${found}, ${list[i + 1]}`;
    }
    return found;
  }

  getSetCookie() {
    const cookies = [];
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === 'set-cookie')
        cookies.push(this.#list[i + 1]);
    }
    return cookies;
  }

  has(name) {
    return this.get(name) !== null;
  }

  set(name, value) {
    const key = nameOf(name);
    const text = valueOf(key, value);
    this.#pairs = null;
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === key) {
        this.#list[i + 1] = text;
        this.#remove(key, i + 2);
        return;
      }
    }
    this.#list.push(key, text);
  }

  /** Sorted and combined, as iteration shows it. */
  #sorted() {
    return this.#pairs ??= this.#sort();
  }

  #sort() {
    const names = new Set();
    for (let i = 0; i < this.#list.length; i += 2)
      names.add(this.#list[i]);
    const pairs = [];
    for (const name of [...names].sort()) {
      if (name === 'set-cookie') {
        for (const cookie of this.getSetCookie())
          pairs.push([name, cookie]);
      } else {
        pairs.push([name, this.get(name)]);
      }
    }
    return pairs;
  }

  *entries() {
    for (let i = 0, pairs; (pairs = this.#sorted()), i < pairs.length; i++)
      yield [...pairs[i]];
  }

  *keys() {
    for (const [name] of this.entries())
      yield name;
  }

  *values() {
    for (const [, value] of this.entries())
      yield value;
  }

  forEach(callback, thisArg = undefined) {
    for (const [name, value] of this.entries())
      Reflect.apply(callback, thisArg, [value, name, this]);
  }
}

const { entries } = Headers.prototype;

Object.defineProperty(Headers.prototype, Symbol.iterator, {
  value: entries, writable: true, configurable: true,
});
