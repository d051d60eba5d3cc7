// The console is asked to print an object whose getters loop.
// expect: timeout
function run() {
  const loop = () => {
    for (;;);
  };
  console.log('%s', { toString: loop, [Symbol.toPrimitive]: loop });
  console.log(new Proxy({}, { get: loop, ownKeys: loop }));
  return loop();
}
