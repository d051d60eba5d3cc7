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
const FRAME = /^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$/;
const ORDINARY = /^(?:Error|TypeError|RangeError|SyntaxError|ReferenceError)$/;

/** Whether it is V8's own complaint about the depth of the stack. */
export function isStackOverflow(error) {
  try {
    return typeof error === 'object' && error !== null &&
        !native.isProxy(error) &&
        getPrototypeOf(error) === rangeErrorPrototype &&
        getOwnPropertyDescriptor(error, 'message')?.value === OVERFLOW;
  } catch {
    return false;
  }
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

/** JSON text of anything thrown; `short` is one line of plain text instead. */
export function explain(error, short = undefined) {
  try {
    const out = describeThrown(error);
    if (short === undefined)
      return jsonStringify(out);
    return out.stack ?? (out.name === undefined ||
        regexpExec(ORDINARY, out.name) !== null ? out.message :
      `${out.name}: ${out.message}`);
  } catch {
    return short === undefined ? '{"message":"the error cannot be described"}' :
      'the error cannot be described';
  }
}
