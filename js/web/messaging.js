// SPDX-License-Identifier: Apache-2.0

import { EventTarget, MessageEvent, defineHandler, fire } from './event.js';
import { structuredClone } from './clone.js';
import { setTimeout } from './timers.js';

/** entangle(a, b): what one posts, the other receives. */
let entangle;

export class MessagePort extends EventTarget {
  #other = null;
  #started = false;
  #waiting = [];

  static {
    entangle = (a, b) => {
      a.#other = b;
      b.#other = a;
    };
  }

  postMessage(message, options = undefined) {
    const data = structuredClone(message, Array.isArray(options) ?
      { transfer: options } : options);
    const other = this.#other;
    if (other === null)
      return;
    setTimeout(() => other.#receive(data), 0);
  }

  #receive(data) {
    if (this.#started)
      fire(this, new MessageEvent('message', { data }));
    else
      this.#waiting.push(data);
  }

  start() {
    this.#started = true;
    for (const data of this.#waiting.splice(0))
      setTimeout(() => this.#receive(data), 0);
  }

  close() {
    const other = this.#other;
    this.#other = null;
    other?.close();
  }

  ref() {}
  unref() {}
}

defineHandler(MessagePort, 'message');
defineHandler(MessagePort, 'messageerror');

// Setting onmessage starts the port, as the standard says.
const handler = Object.getOwnPropertyDescriptor(
    MessagePort.prototype, 'onmessage');
Object.defineProperty(MessagePort.prototype, 'onmessage', {
  ...handler,
  set(callback) {
    Reflect.apply(handler.set, this, [callback]);
    this.start();
  },
});

export class MessageChannel {
  #ports = [new MessagePort(), new MessagePort()];

  constructor() {
    entangle(...this.#ports);
  }

  get port1() { return this.#ports[0]; }
  get port2() { return this.#ports[1]; }
}
