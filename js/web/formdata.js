// SPDX-License-Identifier: Apache-2.0

import { File, isBlob } from './blob.js';

const text = (value) => `${value}`.toWellFormed();

function entryOf(name, value, filename) {
  if (!isBlob(value)) {
    if (filename !== undefined)
      throw new TypeError('FormData: only a Blob takes a file name');
    return [text(name), text(value)];
  }
  if (value instanceof File && filename === undefined)
    return [text(name), value];
  return [text(name), new File([value], filename ?? value.name ?? 'blob',
      { type: value.type, lastModified: value.lastModified })];
}

export class FormData {
  #entries = [];

  constructor(form = undefined) {
    if (form !== undefined)
      throw new TypeError('FormData: there are no form elements here');
  }

  append(name, value, filename = undefined) {
    this.#entries.push(entryOf(name, value, filename));
  }

  delete(name) {
    this.#entries = this.#entries.filter((entry) => entry[0] !== text(name));
  }

  get(name) {
    return this.#entries.find((entry) => entry[0] === text(name))?.[1] ?? null;
  }

  getAll(name) {
    return this.#entries.filter((entry) => entry[0] === text(name))
      .map((entry) => entry[1]);
  }

  has(name) {
    return this.#entries.some((entry) => entry[0] === text(name));
  }

  set(name, value, filename = undefined) {
    const entry = entryOf(name, value, filename);
    const at = this.#entries.findIndex((old) => old[0] === entry[0]);
    if (at < 0) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[at] = entry;
    this.#entries = this.#entries.filter((old, i) =>
      i <= at || old[0] !== entry[0]);
  }

  forEach(callback, thisArg = undefined) {
    for (const [name, value] of this)
      Reflect.apply(callback, thisArg, [value, name, this]);
  }

  *entries() {
    for (let i = 0; i < this.#entries.length; i++)
      yield [...this.#entries[i]];
  }

  *keys() {
    for (const [name] of this.entries())
      yield name;
  }

  *values() {
    for (const [, value] of this.entries())
      yield value;
  }
}

Object.defineProperty(FormData.prototype, Symbol.iterator, {
  value: FormData.prototype.entries, writable: true, configurable: true,
});
