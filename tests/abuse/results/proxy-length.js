// A Proxy that claims to be an array of four billion elements.
// expect: exception|memory|timeout|result_too_large
// control: throws Invalid string length
function run() {
  return new Proxy([], { get: (target, key) =>
    key === 'length' ? 2 ** 32 - 1 : key === 'toJSON' ? undefined : 0 });
}
