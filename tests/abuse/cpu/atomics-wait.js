// Blocks the thread where no CPU limit sees it.
// expect: timeout|exception
// args: --timeout 1s
function run() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  return Atomics.wait(cell, 0, 0);
}
