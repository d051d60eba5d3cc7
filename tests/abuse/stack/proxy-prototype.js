// A proxy that is its own prototype's prototype.
// expect: stack|exception
// control: throws
function run() {
  const proxy = new Proxy({}, { getPrototypeOf: () => proxy });
  return Object.create(proxy) instanceof Array;
}
