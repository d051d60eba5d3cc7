// What is thrown is a proxy, and every trap loops.
// expect: timeout|exception
function run() {
  const loop = () => {
    for (;;);
  };
  throw new Proxy({}, { get: loop, getPrototypeOf: loop, has: loop });
}
