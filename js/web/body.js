// SPDX-License-Identifier: Apache-2.0
// What Request and Response share. A body is text, bytes, a stream, or something
// that is still to come (`read()`, `cancel()`); they stay what they are until
// somebody asks for `.body`.

import { native } from '../native.js';
import { jsonParse } from '../primordials.js';
import { blobFrom, bytesOfBlob, isBlob } from './blob.js';
import { bytesOf, concatBytes, textOf } from './bytes.js';
import { FormData } from './formdata.js';
import { URLSearchParams } from './searchparams.js';
import { isReadableStream, streams } from './streams.js';

const EMPTY = new Uint8Array(0);

/**
 * bodyTake(body): `{ text } | { bytes } | { stream } | null`; marks it used.
 * bodyComing(body, source): it comes, piece by piece: `read()` is a promise of
 * a Uint8Array, or of null at the end; one at a time. `cancel(reason)`: no more.
 */
export let bodyTake, bodyClone, bodyComing, bodyFrom, isDisturbed, impliedType;

/** A body's init as `[source, content type or null]`. */
function extract(init) {
  if (typeof init === 'string')
    return [init.toWellFormed(), 'text/plain;charset=UTF-8'];
  if (native.isUint8Array(init))
    return [init.slice(), null];
  if (isReadableStream(init)) {
    if (init.locked)
      throw new TypeError('The body is a ReadableStream that is locked');
    return [init, null];
  }
  if (isBlob(init))
    return [bytesOfBlob(init), init.type === '' ? null : init.type];
  if (init instanceof URLSearchParams) {
    return [init.toString(),
      'application/x-www-form-urlencoded;charset=UTF-8'];
  }
  if (init instanceof FormData)
    return require('./multipart.js').encodeForm(init);
  const bytes = bytesOf(init);
  return bytes !== undefined ? [bytes.slice(), null] :
    [`${init}`.toWellFormed(), 'text/plain;charset=UTF-8'];
}

const bytesFrom = (source) => source === null ? EMPTY :
  typeof source === 'string' ? native.utf8Encode(source) : source;

const textFrom = (source) => source === null ? '' :
  typeof source !== 'string' ? textOf(source) :
    source.charCodeAt(0) === 0xfeff ? source.slice(1) : source;

/** Reads a stream to its end: `each(bytes)` for every piece, in order. */
export function pump(stream, each) {
  const reader = stream.getReader();
  return new Promise((resolve, reject) => {
    const fail = (error) => {
      reader.cancel(error).then(undefined, () => {});
      reject(error);
    };
    const step = ({ done, value }) => {
      if (done) {
        resolve();
        return;
      }
      if (!native.isUint8Array(value)) {
        fail(new TypeError('A body stream gave a chunk that is not a ' +
            'Uint8Array'));
        return;
      }
      try {
        each(value);
      } catch (error) {
        fail(error);
        return;
      }
      next();
    };
    const next = () => { reader.read().then(step, reject); };
    next();
  });
}

function readAll(stream) {
  const pieces = [];
  return pump(stream, (piece) => pieces.push(piece))
    .then(() => pieces.length === 1 ? pieces[0] : concatBytes(pieces));
}

/** All that comes; at once, if it was asked for at once. */
async function gather(coming) {
  const pieces = [];
  for (let piece; (piece = await coming.read()) !== null;)
    pieces.push(piece);
  return pieces.length === 1 ? pieces[0] : concatBytes(pieces);
}

/** Reads no piece before somebody asks for it. */
function streamComing(coming) {
  const { ReadableStream } = streams();
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const piece = await coming.read();
      if (piece !== null) {
        controller.enqueue(piece);
      } else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
    cancel(reason) { coming.cancel(reason); },
  }, { highWaterMark: 0 });
}

function streamOf(source) {
  const { ReadableStream } = streams();
  const bytes = bytesFrom(source);
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      if (bytes.length !== 0)
        controller.enqueue(bytes.slice());
      controller.close();
    },
  });
}

export class Body {
  #source = null; // null, string or Uint8Array: not once there is a stream
  #stream = null;
  #coming = null; // not once there is a stream
  #used = false;
  #type = null; // the content type that the init implied

  static {
    impliedType = (body) => body.#type;
    bodyFrom = (body, source) => { body.#source = source; };
    bodyComing = (body, source) => { body.#coming = source; };
    isDisturbed = (body) => body.bodyUsed || Boolean(body.#stream?.locked);
    bodyTake = (body) => {
      body.#toStream();
      if (body.#stream === null && body.#source === null)
        return null;
      body.#used = true;
      if (body.#stream !== null)
        return { stream: body.#stream };
      return typeof body.#source === 'string' ? { text: body.#source } :
        { bytes: body.#source };
    };
    bodyClone = (from, to) => {
      if (isDisturbed(from))
        throw new TypeError('clone: the body has been used already');
      from.#toStream();
      to.#source = from.#source;
      if (from.#stream !== null)
        [from.#stream, to.#stream] = from.#stream.tee();
    };
  }

  constructor(init) {
    if (init === null || init === undefined)
      return;
    const [source, type] = extract(init);
    if (isReadableStream(source))
      this.#stream = source;
    else
      this.#source = source;
    this.#type = type;
  }

  /** What is still to come, as a stream. */
  #toStream() {
    if (this.#coming === null)
      return;
    this.#stream = streamComing(this.#coming);
    this.#coming = null;
  }

  get body() {
    this.#toStream();
    if (this.#stream === null && this.#source !== null) {
      this.#stream = streamOf(this.#used ? null : this.#source);
      this.#source = null;
    }
    return this.#stream;
  }

  get bodyUsed() {
    return this.#used ||
        (this.#stream !== null && streams().isDisturbed(this.#stream));
  }

  #consume(convert) {
    if (isDisturbed(this)) {
      return Promise.reject(new TypeError('The body has been used already'));
    }
    if (this.#stream !== null) {
      this.#used = true;
      return readAll(this.#stream).then(convert);
    }
    if (this.#coming !== null) {
      const coming = this.#coming;
      this.#used = true;
      return gather(coming).then(convert);
    }
    const source = this.#source;
    this.#used = source !== null;
    try {
      return Promise.resolve(convert(source));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  text() { return this.#consume(textFrom); }
  json() { return this.#consume((source) => jsonParse(textFrom(source))); }
  bytes() { return this.#consume((source) => bytesFrom(source).slice()); }
  arrayBuffer() {
    return this.#consume((source) => bytesFrom(source).slice().buffer);
  }
  blob() {
    const type = this.headers.get('content-type') ?? '';
    return this.#consume((source) => blobFrom(bytesFrom(source), type));
  }
  formData() {
    const type = this.headers.get('content-type') ?? '';
    return this.#consume((source) =>
      require('./multipart.js').decodeForm(bytesFrom(source), type));
  }
}
