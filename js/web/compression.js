// SPDX-License-Identifier: Apache-2.0

import { Deflate, Gunzip, Gzip, Inflate, Unzlib, Zlib } from 'fflate';
import { bytesOf } from './bytes.js';
import { streams } from './streams.js';

const COMPRESS = { 'gzip': Gzip, 'deflate': Zlib, 'deflate-raw': Deflate };
const DECOMPRESS = {
  'gzip': Gunzip, 'deflate': Unzlib, 'deflate-raw': Inflate,
};

/** A transform around one of fflate's push-style codecs. */
function transformOf(name, table, format) {
  const Codec = Object.hasOwn(table, `${format}`) ? table[format] : undefined;
  if (Codec === undefined) {
    throw new TypeError(`${name}: the format "${format}" is not one of ` +
        'gzip, deflate, deflate-raw');
  }
  const guard = (run) => {
    try {
      run();
    } catch (error) {
      throw new TypeError(`${name}: ${error.message}`, { cause: error });
    }
  };
  const codec = new Codec();
  const { TransformStream } = streams();
  return new TransformStream({
    start(controller) {
      codec.ondata = (bytes) => {
        if (bytes.length !== 0)
          controller.enqueue(bytes);
      };
    },
    transform(chunk) {
      const bytes = bytesOf(chunk);
      if (bytes === undefined)
        throw new TypeError(`${name}: a chunk is neither a buffer nor a view`);
      guard(() => codec.push(bytes.slice(), false));
    },
    flush() { guard(() => codec.push(new Uint8Array(0), true)); },
  });
}

export class CompressionStream {
  #transform;

  constructor(format) {
    this.#transform = transformOf('CompressionStream', COMPRESS, format);
  }

  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}

export class DecompressionStream {
  #transform;

  constructor(format) {
    this.#transform = transformOf('DecompressionStream', DECOMPRESS, format);
  }

  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}
