// SPDX-License-Identifier: Apache-2.0
// Keywords that look at a value alone: the validation vocabulary.

import {
  abs, hasOwn, isArray, isFinite, isInteger, objectKeys, regexpExec, round,
} from '../primordials.js';
import { SchemaError, isObject, step } from './document.js';
import { equal, findTwins } from './equal.js';
import { fail, kindOf, show } from './run.js';

const isNumber = (value) => typeof value === 'number';
const isCount = (value) => Number.isInteger(value) && value >= 0;
const isText = (value) => typeof value === 'string';
const isNames = (value) => Array.isArray(value) && value.every(isText);

const TYPES = {
  __proto__: null,
  array: [isArray, 'an array'],
  boolean: [(value) => typeof value === 'boolean', 'a boolean'],
  integer: [(value) => isInteger(value), 'an integer'],
  null: [(value) => value === null, 'null'],
  number: [(value) => typeof value === 'number', 'a number'],
  object: [(value) => typeof value === 'object' && value !== null &&
      !isArray(value), 'an object'],
  string: [(value) => typeof value === 'string', 'a string'],
};
const isObjectValue = TYPES.object[0];

/** Unicode code points. */
function lengthOf(text) {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 &&
        (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length--;
      i++;
    }
  }
  return length;
}

function isMultiple(value, divisor) {
  const quotient = value / divisor;
  if (!isFinite(quotient))
    return value % divisor === 0;
  return abs(quotient - round(quotient)) <=
      2 * Number.EPSILON * abs(quotient);
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** A check of values of one kind only; others are none of its business. */
const only = (isKind, holds, message) => (value, run) =>
  !isKind(value) || holds(value) || fail(run, () => message(value));

/** By keyword: what it must be, and the check that it becomes. */
const KEYWORDS = {
  __proto__: null,
  type: [(value) => isText(value) || isNames(value), 'a type or a list of ' +
      'types', typeCheck],
  enum: [Array.isArray, 'an array', (values) => (value, run) => {
    for (let i = 0; i < values.length; i++) {
      if (equal(values[i], value))
        return true;
    }
    return fail(run, () =>
      `must be one of ${show(values)}, but is ${show(value)}`);
  }],
  const: [() => true, '', (wanted) => (value, run) =>
    equal(wanted, value) || fail(run, () => `must be ${show(wanted)}`)],
  multipleOf: [(value) => isNumber(value) && value > 0, 'a positive number',
    (divisor) => only(isNumber, (value) => isMultiple(value, divisor),
        () => `must be a multiple of ${divisor}`)],
  maximum: [isNumber, 'a number', (limit) => only(isNumber,
      (value) => value <= limit,
      (value) => `must be at most ${limit}, but is ${value}`)],
  exclusiveMaximum: [isNumber, 'a number', (limit) => only(isNumber,
      (value) => value < limit,
      (value) => `must be less than ${limit}, but is ${value}`)],
  minimum: [isNumber, 'a number', (limit) => only(isNumber,
      (value) => value >= limit,
      (value) => `must be at least ${limit}, but is ${value}`)],
  exclusiveMinimum: [isNumber, 'a number', (limit) => only(isNumber,
      (value) => value > limit,
      (value) => `must be more than ${limit}, but is ${value}`)],
  maxLength: [isCount, 'a count', (count) => only(isText,
      (value) => value.length <= count || lengthOf(value) <= count,
      () => `must have at most ${plural(count, 'character')}`)],
  minLength: [isCount, 'a count', (count) => only(isText,
      (value) => lengthOf(value) >= count,
      () => `must have at least ${plural(count, 'character')}`)],
  pattern: [isText, 'a regular expression', (pattern, pointer) => {
    const regexp = regexpOf(pattern, pointer);
    return only(isText, (value) => regexpExec(regexp, value) !== null,
        () => `must match the pattern ${show(pattern)}`);
  }],
  maxItems: [isCount, 'a count', (count) => only(isArray,
      (value) => value.length <= count,
      () => `must have at most ${plural(count, 'item')}`)],
  minItems: [isCount, 'a count', (count) => only(isArray,
      (value) => value.length >= count,
      () => `must have at least ${plural(count, 'item')}`)],
  uniqueItems: [(value) => typeof value === 'boolean', 'a boolean',
    (wanted) => !wanted ? undefined : (value, run) => {
      const twins = isArray(value) ? findTwins(value) : undefined;
      return twins === undefined || fail(run, () =>
        `must not have equal items, but ${twins[0]} and ${twins[1]} are`);
    }],
  maxProperties: [isCount, 'a count', (count) => only(isObjectValue,
      (value) => objectKeys(value).length <= count,
      () => `must have at most ${plural(count, 'member')}`)],
  minProperties: [isCount, 'a count', (count) => only(isObjectValue,
      (value) => objectKeys(value).length >= count,
      () => `must have at least ${plural(count, 'member')}`)],
  required: [isNames, 'a list of names', (names) => requiredCheck(names, '')],
  dependentRequired: [(value) => isObject(value) &&
      Object.values(value).every(isNames), 'an object of lists of names',
  dependentCheck],
  dependencies: [isObject, 'an object', (table) => dependentCheck(
      Object.fromEntries(Object.entries(table).filter(([, names]) =>
        isNames(names))))],
};

/** Unicode mode is what the standard wants; many write what it refuses. */
export function regexpOf(pattern, pointer) {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags);
    } catch {
      continue;
    }
  }
  throw new SchemaError(pointer,
      `is not a regular expression: ${JSON.stringify(pattern)}`);
}

function typeCheck(declared, pointer) {
  const names = Array.isArray(declared) ? declared : [declared];
  for (const name of names) {
    if (TYPES[name] === undefined) {
      throw new SchemaError(pointer, `is no type: ${JSON.stringify(name)} ` +
          '(there is: array, boolean, integer, null, number, object, string)');
    }
  }
  const wanted = names.map((name) => TYPES[name][1]).join(' or ');
  const message = (value) => `must be ${wanted}, but is ${kindOf(value)}`;
  if (names.length === 1) {
    const [is] = TYPES[names[0]];
    return (value, run) => is(value) || fail(run, () => message(value));
  }
  const tests = names.map((name) => TYPES[name][0]);
  return (value, run) => {
    for (let i = 0; i < tests.length; i++) {
      if (tests[i](value))
        return true;
    }
    return fail(run, () => message(value));
  };
}

function requiredCheck(names, why) {
  return (value, run) => {
    if (!isObjectValue(value))
      return true;
    for (let i = 0; i < names.length; i++) {
      if (!hasOwn(value, names[i]))
        return fail(run, () => `must have the member ${show(names[i])}${why}`);
    }
    return true;
  };
}

function dependentCheck(table) {
  const rules = Object.entries(table).map(([name, names]) =>
    [name, requiredCheck(names, ` beside ${show(name)}`)]);
  return (value, run) => {
    if (!isObjectValue(value))
      return true;
    for (let i = 0; i < rules.length; i++) {
      if (hasOwn(value, rules[i][0]) && !rules[i][1](value, run))
        return false;
    }
    return true;
  };
}

/** The checks of one schema. */
export function assertions({ schema, pointer }) {
  const checks = [];
  for (const keyword of Object.keys(KEYWORDS)) {
    if (!Object.hasOwn(schema, keyword))
      continue;
    const [isGood, what, make] = KEYWORDS[keyword];
    const at = step(pointer, keyword);
    if (!isGood(schema[keyword])) {
      throw new SchemaError(at, `must be ${what}, but is ${
        kindOf(schema[keyword])}`);
    }
    const check = make(schema[keyword], at);
    if (check !== undefined)
      checks.push(check);
  }
  return checks;
}
