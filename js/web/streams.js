// SPDX-License-Identifier: Apache-2.0
// Streams are loaded at first use: a call that never sees one pays nothing.

let loaded = null;

/** Every stream class, and `isDisturbed(stream)`. */
export function streams() {
  return loaded ??= require('./streams-all.js');
}

export function isReadableStream(value) {
  return loaded !== null && value instanceof loaded.ReadableStream;
}
