// SPDX-License-Identifier: Apache-2.0
// How globals and interfaces come to be.

/** Defines globals the way the web does: writable, not enumerable. */
export function defineGlobals(values) {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(globalThis, name, {
      value, writable: true, enumerable: false, configurable: true,
    });
  }
}

/**
 * Defines globals whose code runs at first touch only: `load()` returns an
 * object that has them all.
 */
export function defineLazy(names, load) {
  for (const name of names) {
    const define = (value) => defineGlobals({ [name]: value });
    Object.defineProperty(globalThis, name, {
      get() {
        const value = load()[name];
        define(value);
        return value;
      },
      set: define,
      enumerable: false,
      configurable: true,
    });
  }
}

/** Gives classes what Web IDL says: a tag, enumerable members. */
export function defineInterfaces(classes) {
  for (const [name, Class] of Object.entries(classes)) {
    const { prototype } = Class;
    for (const key of Object.getOwnPropertyNames(prototype)) {
      if (key !== 'constructor')
        Object.defineProperty(prototype, key, { enumerable: true });
    }
    Object.defineProperty(prototype, Symbol.toStringTag, {
      value: name, configurable: true,
    });
  }
  return classes;
}
