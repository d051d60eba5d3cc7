// SPDX-License-Identifier: Apache-2.0

import { TransformStream } from 'web-streams-polyfill';
import { TextDecoder, TextEncoder } from './text.js';

export {
  ByteLengthQueuingStrategy, CountQueuingStrategy,
  ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController,
  ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter,
} from 'web-streams-polyfill';

/** Whether a stream was read or cancelled (a slot of the implementation). */
export const isDisturbed = (stream) => stream._disturbed === true;

export class TextEncoderStream {
  #transform;
  #high = '';

  constructor() {
    const encoder = new TextEncoder();
    this.#transform = new TransformStream({
      transform: (chunk, controller) => {
        const text = this.#high + `${chunk}`;
        const whole = /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text;
        this.#high = text.slice(whole.length);
        if (whole !== '')
          controller.enqueue(encoder.encode(whole));
      },
      flush: (controller) => {
        if (this.#high !== '')
          controller.enqueue(encoder.encode(this.#high));
      },
    });
  }

  get encoding() { return 'utf-8'; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}

export class TextDecoderStream {
  #transform;
  #decoder;

  constructor(label = 'utf-8', options = undefined) {
    this.#decoder = new TextDecoder(label, options);
    this.#transform = new TransformStream({
      transform: (chunk, controller) =>
        this.#push(controller, this.#decoder.decode(chunk, { stream: true })),
      flush: (controller) => this.#push(controller, this.#decoder.decode()),
    });
  }

  #push(controller, text) {
    if (text !== '')
      controller.enqueue(text);
  }

  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}
