// Replaces everything that could stand between the tool and its answer.
// expect: ok
// result: {"honest": [1, 2, 3]}
// control: none: the harness of the control is what it breaks
function run() {
  const broken = () => {
    throw new Error('replaced');
  };
  JSON.stringify = () => '{"forged":true}';
  JSON.parse = broken;
  for (const type of [Array, String, Map, Set, Uint8Array, Function, RegExp]) {
    for (const key of Reflect.ownKeys(type.prototype)) {
      const { value } = Object.getOwnPropertyDescriptor(type.prototype, key);
      if (key === 'constructor' || typeof value !== 'function') continue;
      try {
        type.prototype[key] = broken;
      } catch {
        // some cannot be replaced, which is fine
      }
    }
  }
  globalThis.Promise = broken;
  globalThis.Object = broken;
  return { honest: [1, 2, 3] };
}
