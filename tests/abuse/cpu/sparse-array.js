// A sparse array, walked index by index inside the engine.
// expect: timeout
function run() {
  const sparse = [];
  sparse.length = 2 ** 32 - 1;
  sparse[2 ** 32 - 2] = 1;
  return Array.prototype.indexOf.call(new Proxy(sparse, {}), 2);
}
