// SPDX-License-Identifier: Apache-2.0
// Equality of JSON values, as JSON Schema means it.

import { hasOwn, isArray, objectKeys } from '../primordials.js';

const isObject = (value) => typeof value === 'object' && value !== null;

function arraysEqual(a, b) {
  if (!isArray(b) || a.length !== b.length)
    return false;
  for (let i = 0; i < a.length; i++) {
    if (!equal(a[i], b[i]))
      return false;
  }
  return true;
}

export function equal(a, b) {
  if (a === b)
    return true;
  if (!isObject(a) || !isObject(b))
    return false;
  if (isArray(a))
    return arraysEqual(a, b);
  const keys = objectKeys(a);
  if (isArray(b) || keys.length !== objectKeys(b).length)
    return false;
  for (let i = 0; i < keys.length; i++) {
    if (!hasOwn(b, keys[i]) || !equal(a[keys[i]], b[keys[i]]))
      return false;
  }
  return true;
}

/** The places of two equal items of an array, or undefined. */
export function findTwins(items) {
  const known = new Map(); // of what is no object: by value
  const objects = [];
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (!isObject(item)) {
      if (known.has(item))
        return [known.get(item), i];
      known.set(item, i);
      continue;
    }
    for (let k = 0; k < objects.length; k++) {
      if (equal(items[objects[k]], item))
        return [objects[k], i];
    }
    objects.push(i);
  }
  return undefined;
}
