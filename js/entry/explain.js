// SPDX-License-Identifier: Apache-2.0
// Anything thrown, as JSON for people: bounded, source-mapped, and indifferent
// to getters that throw, proxies, and things that are no errors at all.

import { native } from '../native.js';
import {
  NativeString, getOwnPropertyDescriptor, getPrototypeOf, jsonStringify,
  rangeErrorPrototype, regexpExec, stringIndexOf, stringSlice,
} from '../primordials.js';
import { originalPosition } from './sources.js';

const MESSAGE_MAX = 4 << 10;
const STACK_MAX = 16 << 10;
const NAME_MAX = 200;
const FRAMES_MAX = 50;
const PLATFORM = 'cordon:platform';
const OVERFLOW = 'Maximum call stack size exceeded';
const NO_MEMORY = /allocation failed|out of memory|could not allocate memory/i;
const FRAME = /^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$/;

/** The message of a RangeError as V8 itself throws them, else ''. */
function rangeErrorMessage(error) {
  try {
    if (typeof error !== 'object' || error === null ||
        native.isProxy(error) || getPrototypeOf(error) !== rangeErrorPrototype)
      return '';
    const message = getOwnPropertyDescriptor(error, 'message')?.value;
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}

/** The code of an exception: V8's own complaints have codes of their own. */
export function codeOf(error) {
  const message = rangeErrorMessage(error);
  if (message === OVERFLOW)
    return 'stack';
  return regexpExec(NO_MEMORY, message) !== null ? 'memory' : 'exception';
}

/** A member if it is a string and reading it does not throw. */
function textOf(error, member, max) {
  try {
    const text = error[member];
    return typeof text === 'string' ? stringSlice(text, 0, max) : undefined;
  } catch {
    return undefined;
  }
}

function frameOf(line) {
  const found = regexpExec(FRAME, line);
  if (found === null)
    return undefined;
  return { __proto__: null, fn: found[1], file: found[2],
    line: +found[3], column: +found[4] };
}

function frameText({ fn, file, line, column }) {
  const place = `${file}:${line}:${column}`;
  return fn === undefined ? `    at ${place}` : `    at ${fn} (${place})`;
}

/** Drops the platform's own frames, maps the rest; notes the first place. */
function rewriteStack(stack, place) {
  let text = '';
  let frames = 0;
  for (let at = 0; at <= stack.length && frames < FRAMES_MAX;) {
    const end = stringIndexOf(stack, '\n', at);
    const line = stringSlice(stack, at, end < 0 ? stack.length : end);
    at = end < 0 ? stack.length + 1 : end + 1;
    if (stringIndexOf(line, PLATFORM) >= 0)
      continue;
    const frame = frameOf(line);
    if (frame !== undefined) {
      frames++;
      const mapped = originalPosition(frame);
      place.first ??= mapped;
      text += `${text === '' ? '' : '\n'}${frameText(mapped)}`;
    } else {
      text += `${text === '' ? '' : '\n'}${line}`;
    }
  }
  return stringSlice(text, 0, STACK_MAX);
}

function describeThrown(error) {
  const out = { __proto__: null };
  if ((typeof error !== 'object' || error === null) &&
      typeof error !== 'function') {
    out.message = stringSlice(NativeString(error), 0, MESSAGE_MAX);
    return out;
  }
  if (native.isProxy(error)) {
    out.message = 'a Proxy was thrown';
    return out;
  }
  const message = textOf(error, 'message', MESSAGE_MAX);
  out.message = message ?? 'something that is not an Error was thrown';
  out.name = textOf(error, 'name', NAME_MAX);
  const stack = textOf(error, 'stack', 2 * STACK_MAX);
  if (stack !== undefined) {
    const place = { __proto__: null };
    out.stack = rewriteStack(stack, place);
    out.file = place.first?.file;
    out.line = place.first?.line;
    out.column = place.first?.column;
  }
  return out;
}

/**
 * JSON text of anything thrown. The place, where the engine knows it better
 * than the stack does (a syntax error has none), is added.
 */
export function explain(error, file, line, column) {
  try {
    const out = describeThrown(error);
    if (out.file === undefined && typeof file === 'string' &&
        stringIndexOf(file, PLATFORM) < 0) {
      const place = originalPosition({ __proto__: null, file, line, column });
      out.file = place.file;
      out.line = place.line;
      out.column = place.column;
    }
    return jsonStringify(out);
  } catch {
    return '{"message":"the error cannot be described"}';
  }
}
