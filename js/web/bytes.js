// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';

/** The bytes behind a buffer or view, not copied; undefined for the rest. */
export function bytesOf(source) {
  if (native.isUint8Array(source))
    return source;
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset,
        source.byteLength);
  }
  if (native.isArrayBuffer(source) || isShared(source))
    return new Uint8Array(source);
  return undefined;
}

function isShared(source) {
  return typeof SharedArrayBuffer === 'function' &&
      source instanceof SharedArrayBuffer;
}

/** Pieces as one run of bytes. */
export function concatBytes(pieces) {
  let length = 0;
  for (const piece of pieces)
    length += piece.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** The UTF-8 text of bytes, without a byte order mark. */
export function textOf(bytes) {
  const text = native.utf8Decode(bytes, false);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
