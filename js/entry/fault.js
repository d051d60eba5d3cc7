// SPDX-License-Identifier: Apache-2.0
// Why a value is not JSON, and where: looked for only after it failed.

import { native } from '../native.js';
import {
  append, getOwnPropertyDescriptor, jsonStringify, objectKeys, isArray,
} from '../primordials.js';

const NODES_MAX = 10000;
const DEPTH_MAX = 100;

function step(path, key, inArray) {
  return inArray ? `${path}[${key}]` : `${path}[${jsonStringify(key)}]`;
}

function search(value, path, state) {
  if (typeof value === 'bigint')
    return `${path} is a BigInt`;
  if (typeof value !== 'object' || value === null || native.isProxy(value))
    return undefined;
  const { above } = state;
  for (let i = 0; i < above.length; i++) {
    if (above[i] === value)
      return `${path} closes a cycle`;
  }
  if (above.length >= DEPTH_MAX)
    return undefined;
  append(above, value);
  const found = searchMembers(value, path, state);
  above.length--;
  return found;
}

function searchMembers(object, path, state) {
  const keys = objectKeys(object);
  const inArray = isArray(object);
  for (let i = 0; i < keys.length && state.left-- > 0; i++) {
    const member = getOwnPropertyDescriptor(object, keys[i]);
    const found = search(member?.value, step(path, keys[i], inArray), state);
    if (found !== undefined)
      return found;
  }
  return undefined;
}

/** A sentence about the first BigInt or cycle, or undefined. */
export function findFault(value) {
  try {
    return search(value, 'result', { above: [], left: NODES_MAX });
  } catch {
    return undefined;
  }
}
