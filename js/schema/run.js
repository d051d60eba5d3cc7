// SPDX-License-Identifier: Apache-2.0
// What a fault looks like, and where it is.

import { isArray, jsonStringify, stringSlice } from '../primordials.js';
import { step } from './document.js';

const VALUE_MAX = 100;
const KINDS = { __proto__: null, boolean: 'a boolean', number: 'a number',
  string: 'a string', undefined: 'absent' };

export function kindOf(value) {
  if (value === null)
    return 'null';
  return isArray(value) ? 'an array' : KINDS[typeof value] ?? 'an object';
}

/** A value for people, short. */
export function show(value) {
  const text = jsonStringify(value) ?? 'undefined';
  return text.length <= VALUE_MAX ? text :
    `${stringSlice(text, 0, VALUE_MAX)}…`;
}

/**
 * Notes the first fault, unless it is only tried whether something fits; the
 * message may be a function that makes it.
 */
export function fail(run, message) {
  if (run.quiet === 0 && run.fault === undefined) {
    let pointer = '';
    for (let i = 0; i < run.path.length; i++)
      pointer = step(pointer, run.path[i]);
    run.fault = { __proto__: null, pointer,
      message: typeof message === 'function' ? message() : message };
  }
  return false;
}

/** Checks a member or an item of the value at hand. */
export function descend(node, value, key, run) {
  const { path } = run;
  path[path.length] = key;
  const holds = node.check(value, run, undefined);
  path.length--;
  return holds;
}

/** Whether it fits, without a word about why not. */
export function fits(node, value, run, seen) {
  run.quiet++;
  const holds = node.check(value, run, seen);
  run.quiet--;
  return holds;
}
