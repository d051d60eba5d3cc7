// SPDX-License-Identifier: Apache-2.0

import { DOMException } from './domexception.js';
import { Event, EventTarget, defineHandler, fire } from './event.js';
import { setTimeout } from './timers.js';

const INTERNAL = Symbol('AbortSignal');

/** Aborts a signal; `follow` makes one signal follow another. */
let abort, follow;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #followers = null;

  static {
    abort = (signal, reason = new DOMException(
        'This operation was aborted', 'AbortError')) => {
      if (signal.#aborted)
        return;
      const all = [signal];
      for (let i = 0; i < all.length; i++) {
        all[i].#aborted = true;
        all[i].#reason = reason;
        for (const follower of all[i].#followers ?? []) {
          if (!follower.#aborted && !all.includes(follower))
            all.push(follower);
        }
        all[i].#followers = null;
      }
      for (const one of all)
        fire(one, new Event('abort'));
    };
    follow = (follower, source) => {
      if (source.#aborted)
        abort(follower, source.#reason);
      else
        (source.#followers ??= []).push(follower);
    };
  }

  constructor(token) {
    if (token !== INTERNAL)
      throw new TypeError('AbortSignal: illegal constructor');
    super();
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }

  throwIfAborted() {
    if (this.#aborted)
      throw this.#reason;
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(INTERNAL);
    abort(signal, reason);
    return signal;
  }

  static timeout(milliseconds) {
    const signal = new AbortSignal(INTERNAL);
    setTimeout(() => abort(signal, new DOMException(
        'The operation timed out', 'TimeoutError')), milliseconds);
    return signal;
  }

  static any(signals) {
    const combined = new AbortSignal(INTERNAL);
    for (const signal of [...signals]) {
      if (!(signal instanceof AbortSignal))
        throw new TypeError('AbortSignal.any: not an AbortSignal');
      follow(combined, signal);
      if (combined.#aborted)
        break;
    }
    return combined;
  }
}

defineHandler(AbortSignal, 'abort');

export class AbortController {
  #signal = null;

  get signal() {
    return this.#signal ??= new AbortSignal(INTERNAL);
  }

  abort(reason = undefined) {
    abort(this.signal, reason);
  }
}

/** A signal that nobody aborts, or that follows the one given. */
export function signalAfter(source) {
  const signal = new AbortSignal(INTERNAL);
  if (source !== null && source !== undefined)
    follow(signal, source);
  return signal;
}
