// SPDX-License-Identifier: Apache-2.0
// An answer's body without what it is packed in (Content-Encoding). Piece by
// piece as it is read, so that a small body that becomes a huge one is bounded.

import { native } from '../native.js';

const DECODED_MAX = 64 << 20; // of one answer
const CODINGS_MAX = 3;
const CODINGS = { __proto__: null, 'gzip': true, 'x-gzip': true,
  'deflate': false };

/** The codings to undo, the last one first; null: none that we know. */
export function codingsOf(value) {
  if (value === null)
    return null;
  const codings = value.toLowerCase().split(',').map((word) => word.trim())
    .filter((word) => word !== '' && word !== 'identity').reverse();
  const known = codings.every((coding) => coding in CODINGS);
  return known && codings.length > 0 && codings.length <= CODINGS_MAX ?
    codings : null;
}

/** A body around another one, as Exchange has it: `read()` and `cancel()`. */
class Decoded {
  #inner;
  #coding;
  #stream = -1;
  #left = DECODED_MAX;
  #wasFed = false;
  #isOver = false;

  constructor(inner, coding) {
    this.#inner = inner;
    this.#coding = coding;
  }

  async read() {
    if (this.#isOver)
      return null;
    try {
      const piece = await this.#next();
      if (piece === null)
        this.#close();
      return piece;
    } catch (error) {
      this.#close();
      this.#inner.cancel(error);
      throw error;
    }
  }

  async #next() {
    if (this.#stream < 0)
      this.#open();
    for (;;) {
      const piece = native.inflateTake(this.#stream);
      if (piece === false)
        throw this.#error('is broken');
      if (piece === true)
        return this.#rest();
      if (piece !== null)
        return this.#count(piece);
      const fed = await this.#inner.read();
      if (this.#isOver || (fed === null && !this.#wasFed))
        return null; // cancelled meanwhile; or nothing was packed
      if (fed === null)
        throw this.#error('ends too early');
      this.#wasFed = true;
      if (!native.inflateFeed(this.#stream, fed))
        throw this.#error('is broken');
    }
  }

  #open() {
    this.#stream = native.inflateNew(CODINGS[this.#coding]);
    if (this.#stream < 0)
      throw new TypeError('fetch: too many answers are being decoded at once');
  }

  /** What is behind the end is read, so that the fetch ends, and dropped. */
  async #rest() {
    while (await this.#inner.read() !== null)
      ;
    return null;
  }

  #count(piece) {
    this.#left -= piece.length;
    if (this.#left < 0) {
      throw new TypeError(`fetch failed: decoded, the body is larger than ${
        DECODED_MAX >> 20} MiB`);
    }
    return piece;
  }

  #error(what) {
    return new TypeError(`fetch failed: the body is ${this.#coding}, and ${
      what}`);
  }

  #close() {
    this.#isOver = true;
    if (this.#stream >= 0)
      native.inflateFree(this.#stream);
    this.#stream = -1;
  }

  cancel(reason) {
    if (this.#isOver)
      return;
    this.#close();
    this.#inner.cancel(reason);
  }
}

export function decoded(body, codings) {
  return codings.reduce((inner, coding) => new Decoded(inner, coding), body);
}
