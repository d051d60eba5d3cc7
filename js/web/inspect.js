// SPDX-License-Identifier: Apache-2.0
// Values as text, for the console. Bounded in depth, breadth and length; never
// runs a getter (but an error's `stack`) or a proxy's trap, and never throws.

import { native } from '../native.js';

const DEPTH_MAX = 4;
const ITEMS_MAX = 100;
const TEXT_MAX = 16 << 10;
const STRING_MAX = 10000;
const LINE_MAX = 72;
const OF_FUNCTION = /^(name|length|prototype|arguments|caller)$/;
const PLATFORM = 'cordon:platform';

const { getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const functionToString = Function.prototype.toString;
const dateToISO = Date.prototype.toISOString;
const regexpToString = RegExp.prototype.toString;
const symbolToString = Symbol.prototype.toString;
const mapSize = getOwnPropertyDescriptor(Map.prototype, 'size').get;
const setSize = getOwnPropertyDescriptor(Set.prototype, 'size').get;
const mapEach = Map.prototype.forEach;
const setEach = Set.prototype.forEach;
const typedLength = getOwnPropertyDescriptor(
    getPrototypeOf(Uint8Array.prototype), 'length').get;
const typedName = getOwnPropertyDescriptor(
    getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const bufferLength = getOwnPropertyDescriptor(
    ArrayBuffer.prototype, 'byteLength').get;
const boxed = [Number, String, Boolean, BigInt, Symbol].map((Class) =>
  [Class.name, Class.prototype.valueOf]);

/** Calls a brand-checking method; undefined if it is not of that brand. */
function brand(method, value, ...args) {
  try {
    return Reflect.apply(method, value, args);
  } catch {
    return undefined;
  }
}

function quote(text) {
  const shown = text.length > STRING_MAX ?
    `${text.slice(0, STRING_MAX)}… ${text.length - STRING_MAX} more` : text;
  const mark = !shown.includes("'") ? "'" : !shown.includes('"') ? '"' : '`';
  return mark + shown.replace(/[\\\n\r\t]/g, (c) =>
    ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c]) + mark;
}

function inspectPrimitive(value) {
  switch (typeof value) {
  case 'string': return quote(value);
  case 'bigint': return `${value}n`;
  case 'symbol': return Reflect.apply(symbolToString, value, []);
  case 'number': return Object.is(value, -0) ? '-0' : `${value}`;
  default: return `${value}`;
  }
}

/** A data property's value, looked up without running code. */
function dataOf(object, key) {
  for (let at = object, hops = 0; at !== null && hops < 20; hops++) {
    if (native.isProxy(at))
      return undefined;
    const found = getOwnPropertyDescriptor(at, key);
    if (found !== undefined)
      return found.value;
    at = getPrototypeOf(at);
  }
  return undefined;
}

function className(object) {
  const prototype = getPrototypeOf(object);
  if (prototype === null)
    return '[Object: null prototype]';
  const name = dataOf(dataOf(object, 'constructor') ?? {}, 'name');
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

function inspectFunction(fn) {
  const name = dataOf(fn, 'name');
  const source = brand(functionToString, fn) ?? '';
  const kind = source.startsWith('class') ? 'class' : 'Function';
  return typeof name === 'string' && name !== '' ?
    `[${kind}: ${name}]` : `[${kind} (anonymous)]`;
}

/** A stack without the platform's own frames. */
function ownFrames(stack) {
  return !stack.includes(PLATFORM) ? stack : stack.split('\n')
    .filter((line) => !line.includes(PLATFORM)).join('\n');
}

/** The text of an error: its stack, or its name and message. */
function errorText(error) {
  try {
    const { stack } = error;
    if (typeof stack === 'string' && stack !== '')
      return ownFrames(stack.slice(0, TEXT_MAX));
  } catch {
    // A hostile getter: the parts below must do.
  }
  const name = dataOf(error, 'name');
  const message = dataOf(error, 'message');
  return `${typeof name === 'string' ? name : 'Error'}: ` +
      `${typeof message === 'string' ? message.slice(0, TEXT_MAX) : ''}`;
}

class Inspector {
  #left = TEXT_MAX;
  #seen = [];

  value(value, depth = 0) {
    const isObject = typeof value === 'object' && value !== null;
    const text = !isObject && typeof value !== 'function' ?
      inspectPrimitive(value) : this.#object(value, depth);
    this.#left -= text.length;
    return text;
  }

  #object(object, depth) {
    if (native.isProxy(object))
      return '[Proxy]';
    if (this.#seen.includes(object))
      return '[Circular]';
    if (Error.isError(object) && depth > 0)
      return `[${errorText(object)}]`;
    const special = this.#special(object, depth);
    if (special?.whole)
      return special.text;
    if (depth >= DEPTH_MAX)
      return special ? `[${special.text}]` : `[${className(object)}]`;
    this.#seen.push(object);
    const text = this.#members(object, depth, special);
    this.#seen.pop();
    return text;
  }

  /** Text and entries of what is more than its properties. */
  #special(object, depth) {
    if (typeof object === 'function')
      return { text: inspectFunction(object), entries: [], skip: OF_FUNCTION };
    if (Error.isError(object)) {
      return { text: errorText(object), entries: [],
        skip: /^(stack|message|name)$/ };
    }
    if (Array.isArray(object)) {
      return { open: '[', text: '', skip: /^(\d+|length)$/,
        entries: this.#array(object, object.length, depth) };
    }
    const tag = brand(typedName, object);
    if (tag !== undefined) {
      const length = brand(typedLength, object);
      return { open: '[', text: `${tag}(${length})`, skip: /^\d+$/,
        entries: this.#array(object, length, depth) };
    }
    return this.#wrapped(object) ?? this.#collection(object, depth);
  }

  #wrapped(object) {
    const date = brand(dateToISO, object);
    if (date !== undefined)
      return { whole: true, text: date };
    if (dataOf(object, 'lastIndex') !== undefined &&
        Object.prototype.toString.call(object) === '[object RegExp]')
      return { whole: true, text: brand(regexpToString, object) ?? 'RegExp' };
    for (const [name, valueOf] of boxed) {
      const value = brand(valueOf, object);
      if (value !== undefined)
        return { whole: true, text: `[${name}: ${inspectPrimitive(value)}]` };
    }
    return undefined;
  }

  #collection(object, depth) {
    if (native.isPromise(object))
      return { text: 'Promise', entries: [] };
    const bytes = brand(bufferLength, object);
    if (bytes !== undefined)
      return { text: `ArrayBuffer { byteLength: ${bytes} }`, whole: true };
    const entries = [];
    const room = () => entries.length < ITEMS_MAX && this.#left > 0;
    const maps = brand(mapSize, object);
    if (maps !== undefined) {
      mapEach.call(object, (value, key) => room() && entries.push(
          `${this.value(key, depth + 1)} => ${this.value(value, depth + 1)}`));
      return { text: `Map(${maps})`, entries };
    }
    const sets = brand(setSize, object);
    if (sets !== undefined) {
      setEach.call(object, (value) => room() &&
          entries.push(this.value(value, depth + 1)));
      return { text: `Set(${sets})`, entries };
    }
    return undefined;
  }

  #array(array, length, depth) {
    const entries = [];
    if (depth >= DEPTH_MAX)
      return entries;
    this.#seen.push(array);
    for (let i = 0; i < length; i++) {
      if (i >= ITEMS_MAX || this.#left <= 0) {
        entries.push(`… ${length - i} more`);
        break;
      }
      const found = getOwnPropertyDescriptor(array, i);
      entries.push(found === undefined ? '<empty>' :
        this.#property(found, depth));
    }
    this.#seen.pop();
    return entries;
  }

  #property(descriptor, depth) {
    if ('value' in descriptor)
      return this.value(descriptor.value, depth + 1);
    return descriptor.get === undefined ? '[Setter]' :
      descriptor.set === undefined ? '[Getter]' : '[Getter/Setter]';
  }

  #members(object, depth, special) {
    const entries = special?.entries ?? [];
    for (const key of ownKeys(object)) {
      if (entries.length > ITEMS_MAX || this.#left <= 0) {
        entries.push('…');
        break;
      }
      if (typeof key === 'string' && special?.skip?.test(key))
        continue;
      const found = getOwnPropertyDescriptor(object, key);
      if (!found?.enumerable)
        continue;
      const name = typeof key === 'symbol' ? `[${inspectPrimitive(key)}]` :
        /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
      entries.push(`${name}: ${this.#property(found, depth)}`);
    }
    return this.#join(special?.text ?? className(object), entries,
        special?.open ?? '{', depth);
  }

  #join(text, entries, open, depth) {
    const close = open === '[' ? ']' : '}';
    const head = text === 'Object' || text === '' ? '' : `${text} `;
    if (entries.length === 0) {
      const bare = head === '' || open === '[' || /^(Map|Set)\(/.test(text);
      return bare || /^[A-Za-z_$][\w$]*$/.test(text) || text.startsWith('[O') ?
        `${head}${open}${close}` : text;
    }
    const pad = '  '.repeat(depth + 1);
    const flat = entries.join(', ');
    if (flat.length <= LINE_MAX && !flat.includes('\n'))
      return `${head}${open} ${flat} ${close}`;
    return `${head}${open}\n${pad}${entries.join(`,\n${pad}`)}\n` +
        `${'  '.repeat(depth)}${close}`;
  }
}

function bound(text) {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

/** A value as the console shows it. */
export function inspect(value) {
  try {
    return bound(new Inspector().value(value));
  } catch {
    return '[cannot be shown]';
  }
}

/** An error as the console shows it: its stack, when it has one. */
export function inspectError(error) {
  return inspect(error);
}

const directives = {
  s: (value) => typeof value === 'string' ? value : inspect(value),
  d: (value) => typeof value === 'symbol' || typeof value === 'object' ? 'NaN' :
    `${Number(value)}`,
  i: (value) => typeof value === 'symbol' || typeof value === 'object' ? 'NaN' :
    `${parseInt(value, 10)}`,
  f: (value) => typeof value === 'symbol' || typeof value === 'object' ? 'NaN' :
    `${parseFloat(value)}`,
  j: inspect, o: inspect, O: inspect, c: () => '',
};

/** The console's formatter: `%s %d %i %f %j %o %O %c %%`, then the rest. */
export function format(args) {
  let rest = args;
  let text = '';
  if (typeof args[0] === 'string') {
    let next = 1;
    text = args.length === 1 ? args[0] :
      args[0].replace(/%([sdifjoOc%])/g, (whole, kind) => {
        if (kind === '%')
          return '%';
        return next < args.length ? directives[kind](args[next++]) : whole;
      });
    rest = args.slice(next);
  }
  for (const value of rest) {
    const shown = typeof value === 'string' ? value : inspect(value);
    text += text === '' && rest === args ? shown : ` ${shown}`;
  }
  return bound(text);
}
