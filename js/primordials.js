// SPDX-License-Identifier: Apache-2.0
// What answers are made with, captured before tool code can patch it.

const { bind, call } = Function.prototype;

/** A method as a plain function: `uncurryThis(fn)(self, …args)`. */
export const uncurryThis = bind.bind(call);

export const {
  apply, construct, getPrototypeOf, ownKeys, getOwnPropertyDescriptor,
} = Reflect;
export const { defineProperty, freeze, hasOwn, keys: objectKeys } = Object;
export const { isArray } = Array;
export const { stringify: jsonStringify, parse: jsonParse } = JSON;
export const { abs, max, min, floor, round, trunc } = Math;
export const dateNow = Date.now;
export const { isFinite, isInteger } = Number;

export const NativeError = Error;
export const NativePromise = Promise;
export const NativeRangeError = RangeError;
export const NativeString = String;
export const NativeTypeError = TypeError;
export const NativeUint8Array = Uint8Array;

export const rangeErrorPrototype = RangeError.prototype;
export const errorPrototype = Error.prototype;
export const promiseThen = uncurryThis(Promise.prototype.then);
export const regexpExec = uncurryThis(RegExp.prototype.exec);
export const stringIndexOf = uncurryThis(String.prototype.indexOf);
export const stringLastIndexOf = uncurryThis(String.prototype.lastIndexOf);
export const stringSlice = uncurryThis(String.prototype.slice);
export const stringSplit = uncurryThis(String.prototype.split);
export const stringStartsWith = uncurryThis(String.prototype.startsWith);
export const stringToWellFormed = uncurryThis(String.prototype.toWellFormed);
export const stringToLowerCase = uncurryThis(String.prototype.toLowerCase);
export const weakSetAdd = uncurryThis(WeakSet.prototype.add);
export const weakSetHas = uncurryThis(WeakSet.prototype.has);
export const NativeWeakSet = WeakSet;

/** Adds to an array without looking at Array.prototype. */
export function append(array, value) {
  defineProperty(array, array.length, {
    __proto__: null, value, writable: true, enumerable: true,
    configurable: true,
  });
}
