// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { bytesOf, concatBytes, textOf } from './bytes.js';
import { streams } from './streams.js';

export let blobFrom, bytesOfBlob, isBlob;

const typeOf = (type) => {
  const text = `${type}`;
  return /[^\x20-\x7e]/.test(text) ? '' : text.toLowerCase();
};

function partBytes(part) {
  if (isBlob(part))
    return bytesOfBlob(part);
  return bytesOf(part) ?? native.utf8Encode(`${part}`);
}

/** An index of slice(): negative ones count from the end. */
function place(index, size, missing) {
  if (index === undefined)
    return missing;
  const at = Math.trunc(+index) || 0;
  return at < 0 ? Math.max(0, size + at) : Math.min(at, size);
}

export class Blob {
  #bytes;
  #type;

  static {
    isBlob = (value) => typeof value === 'object' && value !== null &&
        #bytes in value;
    bytesOfBlob = (blob) => blob.#bytes;
    blobFrom = (bytes, type) => {
      const blob = new Blob();
      blob.#bytes = bytes;
      blob.#type = typeOf(type);
      return blob;
    };
  }

  constructor(parts = [], options = undefined) {
    if (typeof parts !== 'object' || parts === null ||
        typeof parts[Symbol.iterator] !== 'function')
      throw new TypeError('Blob: the parts are not a list');
    this.#bytes = concatBytes([...parts].map(partBytes));
    this.#type = typeOf(options?.type ?? '');
  }

  get size() { return this.#bytes.length; }
  get type() { return this.#type; }

  slice(start = undefined, end = undefined, type = '') {
    const size = this.#bytes.length;
    const from = place(start, size, 0);
    const to = Math.max(from, place(end, size, size));
    return blobFrom(this.#bytes.subarray(from, to), type);
  }

  async text() { return textOf(this.#bytes); }
  async bytes() { return this.#bytes.slice(); }
  async arrayBuffer() { return this.#bytes.slice().buffer; }

  stream() {
    const bytes = this.#bytes;
    const { ReadableStream } = streams();
    return new ReadableStream({
      type: 'bytes',
      start(controller) {
        if (bytes.length !== 0)
          controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }
}

export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options = undefined) {
    if (arguments.length < 2)
      throw new TypeError('File: the parts and a name are needed');
    super(parts, options);
    this.#name = `${name}`.toWellFormed();
    this.#lastModified = Math.trunc(+(options?.lastModified ?? Date.now()));
  }

  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
  get webkitRelativePath() { return ''; }
}
