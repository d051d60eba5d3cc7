// The start function of a WebAssembly module loops.
// expect: timeout
const BYTES = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 8, 1,
  0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11];
function run() {
  return typeof new WebAssembly.Instance(
    new WebAssembly.Module(new Uint8Array(BYTES)));
}
