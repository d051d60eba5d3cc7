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
  const types = [Array, String, Map, Set, Uint8Array, Function, RegExp];
  const keys = types.map((type) => Reflect.ownKeys(type.prototype));
  const valueOf = (object, key) =>
    Reflect.getOwnPropertyDescriptor(object, key).value;
  for (let i = 0; i < types.length; i++) {
    for (let k = 0; k < keys[i].length; k++) {
      const { prototype } = types[i];
      const key = keys[i][k];
      if (key === 'constructor') continue;
      if (typeof valueOf(prototype, key) === 'function') prototype[key] = broken;
    }
  }
  globalThis.Promise = broken;
  globalThis.Object = broken;
  return { honest: [1, 2, 3] };
}
