// SPDX-License-Identifier: Apache-2.0
// A call and its answer. An answer is given once, to the call's own sink, and
// only while the call is the one in progress: what the warm-up or an earlier
// call left behind can answer nothing.

import {
  NativePromise, NativeTypeError, apply, jsonStringify, promiseThen,
} from '../primordials.js';
import { native } from '../native.js';
import { inspectError } from '../web/inspect.js';
import { codeOf, explain } from './explain.js';
import { findFault } from './fault.js';

let generation = 0;

/** A new call; `sink` has native's result, fail, head, chunk, end, done. */
export function newCall(sink) {
  return { __proto__: null, sink, generation, answered: false, pending: 0 };
}

/** Every call before this moment is over. */
export function endCalls() {
  generation++;
}

export const isOpen = (call) =>
  call.generation === generation && !call.answered;

/** Marks the answer complete, after its last piece went out. */
export function close(call) {
  call.answered = true;
  if (call.pending === 0)
    call.sink.done();
}

export function answerFailure(call, code, json) {
  if (!isOpen(call))
    return;
  call.answered = true;
  call.sink.fail(code, json);
  close(call);
}

/** The answer is what was thrown. */
export function answerError(call, error) {
  if (isOpen(call))
    answerFailure(call, codeOf(error), explain(error));
}

/** The answer is that there is none that could be told. */
export function answerInvalid(call, message) {
  answerFailure(call, 'invalid_result',
      jsonStringify({ __proto__: null, message }));
}

/** A value's JSON; undefined where the answer is that it has none. */
export function jsonOf(call, value) {
  try {
    if (typeof value !== 'function' && typeof value !== 'symbol')
      return jsonStringify(value) ?? 'null';
    answerInvalid(call, `the result is not JSON: it is a ${typeof value}`);
  } catch (error) {
    answerUnserialisable(call, value, error);
  }
  return undefined;
}

/** The answer is this JSON. */
export function answerText(call, text) {
  if (!isOpen(call))
    return; // a toJSON() of the result can do anything
  call.answered = true;
  call.sink.result(text);
  close(call);
}

/** The answer is a value, as JSON. */
export function answerValue(call, value) {
  if (!isOpen(call))
    return;
  const text = jsonOf(call, value);
  if (text !== undefined)
    answerText(call, text);
}

function answerUnserialisable(call, value, error) {
  const fault = findFault(value);
  if (fault !== undefined)
    answerInvalid(call, `the result is not JSON: ${fault}`);
  else
    answerError(call, error);
}

/** The `then` of something that is awaited like a promise, else undefined. */
function thenOf(value) {
  if ((typeof value !== 'object' || value === null) &&
      typeof value !== 'function')
    return undefined;
  const { then } = value;
  return typeof then === 'function' ? then : undefined;
}

/** Calls onValue(call, value) now, or when what was returned settles. */
export function whenSettled(call, value, onValue) {
  let promise = value;
  if (!native.isPromise(value)) {
    const then = thenOf(value);
    if (then === undefined) {
      onValue(call, value);
      return;
    }
    promise = new NativePromise((resolve, reject) =>
      apply(then, value, [resolve, reject]));
  }
  promiseThen(promise, (settled) => {
    try {
      onValue(call, settled);
    } catch (error) {
      answerError(call, error);
    }
  }, (error) => answerError(call, error));
}

/** waitUntil(): the cell lives on until the promise is settled. */
export function waitUntil(call, promise) {
  const settled = () => {
    call.pending--;
    if (call.pending === 0 && call.answered &&
        call.generation === generation)
      call.sink.done();
  };
  call.pending++;
  try {
    promiseThen(native.isPromise(promise) ? promise :
      new NativePromise((resolve) => resolve(promise)), settled, (error) => {
      native.log(3, `waitUntil: ${inspectError(error)}`);
      settled();
    });
  } catch {
    settled();
    throw new NativeTypeError('waitUntil: the argument is no usable promise');
  }
}
