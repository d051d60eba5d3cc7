// SPDX-License-Identifier: Apache-2.0
// node:async_hooks over V8's continuation data. The data is a chain of
// immutable links {storage, store, next}: the nearest link of a storage wins.

import { native } from '../native.js';

const current = () => native.getContinuation() ?? null;

/** Runs a function with the given chain in force. */
function within(chain, fn, self, args) {
  const before = native.getContinuation();
  native.setContinuation(chain);
  try {
    return Reflect.apply(fn, self, args);
  } finally {
    native.setContinuation(before);
  }
}

function link(storage, store, next) {
  return Object.freeze({ __proto__: null, storage, store, next });
}

/** The chain without a storage's links: it never grows by use. */
function without(chain, storage) {
  if (chain === null)
    return null;
  const next = without(chain.next, storage);
  if (chain.storage === storage)
    return next;
  return next === chain.next ? chain : link(chain.storage, chain.store, next);
}

export class AsyncLocalStorage {
  #default;
  #name;

  constructor(options = undefined) {
    this.#default = options?.defaultValue;
    this.#name = `${options?.name ?? ''}`;
  }

  get name() { return this.#name; }

  getStore() {
    for (let at = current(); at !== null; at = at.next) {
      if (at.storage === this)
        return at.store;
    }
    return this.#default;
  }

  run(store, callback, ...args) {
    const chain = link(this, store, without(current(), this));
    return within(chain, callback, undefined, args);
  }

  exit(callback, ...args) {
    return within(link(this, undefined, without(current(), this)), callback,
        undefined, args);
  }

  enterWith(store) {
    native.setContinuation(link(this, store, without(current(), this)));
  }

  disable() {
    native.setContinuation(without(current(), this));
  }

  static bind(fn) {
    return AsyncResource.bind(fn);
  }

  static snapshot() {
    const chain = current();
    return (callback, ...args) => within(chain, callback, undefined, args);
  }
}

let lastId = 1;

export class AsyncResource {
  #chain = current();
  #id = ++lastId;
  #type;

  constructor(type) {
    this.#type = `${type}`;
  }

  get type() { return this.#type; }
  asyncId() { return this.#id; }
  triggerAsyncId() { return 1; }
  emitDestroy() { return this; }

  runInAsyncScope(fn, thisArg = undefined, ...args) {
    return within(this.#chain, fn, thisArg, args);
  }

  bind(fn, thisArg = undefined) {
    const chain = this.#chain;
    return function bound(...args) {
      return within(chain, fn, thisArg ?? this, args);
    };
  }

  static bind(fn, type = 'bound', thisArg = undefined) {
    return new AsyncResource(type).bind(fn, thisArg);
  }
}

export const executionAsyncId = () => 1;
export const triggerAsyncId = () => 0;
