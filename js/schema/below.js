// SPDX-License-Identifier: Apache-2.0
// Keywords that apply schemas to the members and items of a value.

import {
  hasOwn, isArray, objectKeys, regexpExec,
} from '../primordials.js';
import { regexpOf } from './assertions.js';
import { SchemaError, step } from './document.js';
import { descend, fail, fits, show } from './run.js';

const isObjectValue = (value) =>
  typeof value === 'object' && value !== null && !isArray(value);

/** properties, patternProperties and additionalProperties, in one pass each. */
function members(place) {
  const { compiler, schema, resource, pointer } = place;
  const table = (key) => schema[key] === undefined ? [] :
    compiler.table(schema, key, resource, pointer);
  const named = table('properties');
  const patterns = table('patternProperties').map(([pattern, node]) =>
    [regexpOf(pattern, step(step(pointer, 'patternProperties'), pattern)),
      node]);
  const rest = compiler.child(schema, 'additionalProperties', resource,
      pointer);
  const checks = [];
  if (named.length > 0)
    checks.push(namedCheck(named));
  if (patterns.length > 0 || rest !== undefined) {
    const names = { __proto__: null };
    for (const [name] of named)
      names[name] = true;
    checks.push(restCheck(names, patterns, rest,
        schema.additionalProperties === false));
  }
  return checks;
}

function namedCheck(named) {
  return (value, run, seen) => {
    if (!isObjectValue(value))
      return true;
    for (let i = 0; i < named.length; i++) {
      const [name, node] = named[i];
      if (!hasOwn(value, name))
        continue;
      if (!descend(node, value[name], name, run))
        return false;
      seen?.members.add(name);
    }
    return true;
  };
}

function restCheck(names, patterns, rest, isClosed) {
  return (value, run, seen) => {
    if (!isObjectValue(value))
      return true;
    const keys = objectKeys(value);
    for (let i = 0; i < keys.length; i++) {
      const name = keys[i];
      let isKnown = names[name] === true;
      for (let k = 0; k < patterns.length; k++) {
        if (regexpExec(patterns[k][0], name) === null)
          continue;
        isKnown = true;
        seen?.members.add(name);
        if (!descend(patterns[k][1], value[name], name, run))
          return false;
      }
      if (isKnown || rest === undefined)
        continue;
      if (isClosed)
        return fail(run, () => `must not have the member ${show(name)}`);
      if (!descend(rest, value[name], name, run))
        return false;
      seen?.members.add(name);
    }
    return true;
  };
}

function namesCheck(node) {
  return (value, run) => {
    if (!isObjectValue(value))
      return true;
    const keys = objectKeys(value);
    for (let i = 0; i < keys.length; i++) {
      if (!fits(node, keys[i], run, undefined)) {
        return fail(run, () => 'must not have a member of the name ' +
            `${show(keys[i])} ("propertyNames")`);
      }
    }
    return true;
  };
}

/** prefixItems and items, which once were items and additionalItems. */
function items(place) {
  const { compiler, schema, resource, pointer } = place;
  const isOld = Array.isArray(schema.items);
  const first = isOld ? 'items' : 'prefixItems';
  const prefix = schema[first] === undefined ? [] :
    compiler.list(schema, first, resource, pointer);
  const rest = compiler.child(schema, isOld ? 'additionalItems' : 'items',
      resource, pointer);
  return prefix.length === 0 && rest === undefined ? [] :
    [itemsCheck(prefix, rest)];
}

function itemsCheck(prefix, rest) {
  return (value, run, seen) => {
    if (!isArray(value))
      return true;
    const end = rest === undefined && value.length > prefix.length ?
      prefix.length : value.length;
    for (let i = 0; i < end; i++) {
      if (!descend(i < prefix.length ? prefix[i] : rest, value[i], i, run))
        return false;
    }
    if (seen !== undefined && end > seen.upTo)
      seen.upTo = end;
    return true;
  };
}

function countOf(place, keyword, otherwise) {
  const value = place.schema[keyword];
  if (value === undefined || !place.resource.validates)
    return otherwise;
  if (!Number.isInteger(value) || value < 0) {
    throw new SchemaError(step(place.pointer, keyword),
        'must be a count');
  }
  return value;
}

function contains(place) {
  const { compiler, schema, resource, pointer } = place;
  const node = compiler.child(schema, 'contains', resource, pointer);
  if (node === undefined)
    return [];
  const least = countOf(place, 'minContains', 1);
  const most = countOf(place, 'maxContains', Infinity);
  return [(value, run, seen) => {
    if (!isArray(value))
      return true;
    let count = 0;
    for (let i = 0; i < value.length; i++) {
      if (!fits(node, value[i], run, undefined))
        continue;
      count++;
      seen?.items.add(i);
    }
    if (count >= least && count <= most)
      return true;
    return fail(run, () => `must have ${count < least ? `at least ${least}` :
      `at most ${most}`} of the items that "contains" describes, but has ${
      count}`);
  }];
}

function unevaluatedMembers(node) {
  return (value, run, seen) => {
    if (!isObjectValue(value))
      return true;
    const keys = objectKeys(value);
    for (let i = 0; i < keys.length; i++) {
      if (seen.hasMember(keys[i]))
        continue;
      if (!fits(node, value[keys[i]], run, undefined))
        return fail(run, () => `must not have the member ${show(keys[i])}`);
    }
    seen.allMembers = true;
    return true;
  };
}

function unevaluatedItems(node) {
  return (value, run, seen) => {
    if (!isArray(value))
      return true;
    for (let i = 0; i < value.length; i++) {
      if (!seen.hasItem(i) && !fits(node, value[i], run, undefined))
        return fail(run, () => `must not have an item ${i}`);
    }
    seen.upTo = value.length;
    return true;
  };
}

/** The checks of one schema; `last` after all others of it. */
export function below(place) {
  const { compiler, schema, resource, pointer } = place;
  const child = (key) => compiler.child(schema, key, resource, pointer);
  const names = child('propertyNames');
  const lastMembers = child('unevaluatedProperties');
  const lastItems = child('unevaluatedItems');
  return {
    rest: [...members(place), ...names === undefined ? [] : [namesCheck(names)],
      ...items(place), ...contains(place)],
    last: [...lastMembers === undefined ? [] :
      [unevaluatedMembers(lastMembers)],
    ...lastItems === undefined ? [] : [unevaluatedItems(lastItems)]],
  };
}
