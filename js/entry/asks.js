// SPDX-License-Identifier: Apache-2.0
// What a call asks its client in its middle: a number goes out with the
// request, and comes back with the answer. Numbers are never used twice in a
// cell, so that a late answer to an earlier call finds nobody.

import { native } from '../native.js';
import {
  NativeError, NativePromise, jsonParse, jsonStringify, stringSlice,
} from '../primordials.js';
import { isOpen } from './call.js';

const OPEN_MAX = 16; // the glue counts, too
const MESSAGE_MAX = 4096;

let last = 0;
let nOpen = 0;
let open = { __proto__: null };

/** A call begins: nobody waits for anything. */
export function resetAsks() {
  if (nOpen === 0)
    return;
  nOpen = 0;
  open = { __proto__: null };
}

/** The promise of the client's answer to a request. */
export function ask(call, method, params) {
  return new NativePromise((resolve, reject) => {
    if (!isOpen(call)) {
      throw new NativeError(`${method}: the call is answered already; ` +
          'nobody is there to be asked');
    }
    if (nOpen === OPEN_MAX) {
      throw new NativeError(`${method}: ${OPEN_MAX} requests to the client ` +
          'are open; await one of them first');
    }
    const json = jsonStringify({ __proto__: null, method, params });
    const number = last = last + 1 >>> 0;
    if (!native.ask(number, json)) {
      throw new NativeError(`${method}: the request is larger than a result ` +
          'of this server may be');
    }
    open[number] = { __proto__: null, method, resolve, reject };
    nOpen++;
  });
}

/** What the client said, or did not want to do. */
function errorOf(method, raw) {
  const said = typeof raw?.message === 'string' ?
    stringSlice(raw.message, 0, MESSAGE_MAX) : 'no reason is given';
  const error = new NativeError(`${method}: ${said}`);
  error.name = 'ClientError';
  error.code = raw?.code;
  error.data = raw?.data;
  return error;
}

/** The answer to `number`: {"result"} or {"error"}. Others are no news. */
export function answer(number, json) {
  const waiting = open[number];
  if (waiting === undefined)
    return;
  delete open[number];
  nOpen--;
  try {
    const { result, error } = jsonParse(json);
    if (error === undefined && result !== undefined)
      waiting.resolve(result);
    else
      waiting.reject(errorOf(waiting.method, error));
  } catch (error) {
    waiting.reject(error);
  }
}
