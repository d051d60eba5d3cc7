// SPDX-License-Identifier: Apache-2.0

import { DOMException } from '../web/domexception.js';

/** newKey(type, extractable, algorithm, usages, material); materialOf(key). */
export let newKey, materialOf;

const INTERNAL = Symbol('CryptoKey');

export class CryptoKey {
  #type;
  #extractable;
  #algorithm;
  #usages;
  #material;

  static {
    materialOf = (key) => key.#material;
    newKey = (type, extractable, algorithm, usages, material) => {
      const key = new CryptoKey(INTERNAL);
      key.#type = type;
      key.#extractable = Boolean(extractable);
      key.#algorithm = Object.freeze(algorithm);
      key.#usages = Object.freeze([...usages]);
      key.#material = material;
      return key;
    };
  }

  constructor(token) {
    if (token !== INTERNAL)
      throw new TypeError('CryptoKey: illegal constructor');
  }

  get type() { return this.#type; }
  get extractable() { return this.#extractable; }
  get algorithm() { return this.#algorithm; }
  get usages() { return this.#usages; }
}

export const fault = (name, message) => new DOMException(message, name);

/** The usages among those allowed; refuses others. */
export function usagesOf(usages, allowed, what) {
  const given = [...new Set(usages)];
  for (const usage of given) {
    if (!allowed.includes(usage)) {
      throw fault('SyntaxError',
          `${what}: the usage "${usage}" does not fit this key`);
    }
  }
  return given;
}
