// Replaces every method of every intrinsic, then answers.
// expect: ok
// result: {"honest":[1,"two"]}
// control: none: so Node.js itself is broken
function run() {
  const { defineProperty } = Object;
  const { ownKeys } = Reflect;
  const value = () => { throw 'forged'; };
  const all = [Array, Function, Promise, String, Number, Map, Set, WeakMap,
    WeakSet, RegExp, Error, RangeError, TypeError, Uint8Array, Symbol, JSON,
    Reflect, Math, Object];
  const patch = (object) => {
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] === 'prototype') continue;
      try {
        defineProperty(object, keys[i], { __proto__: null, value });
      } catch { /* it is fixed */ }
    }
  };
  for (let i = 0; i < all.length; i++) {
    patch(all[i]);
    if (all[i].prototype) patch(all[i].prototype);
  }
  return { honest: [1, 'two'] };
}
