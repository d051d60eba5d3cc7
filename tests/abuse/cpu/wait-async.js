// Atomics.waitAsync in a loop, each of which is over at once.
// expect: timeout
async function run() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (;;) await Atomics.waitAsync(cell, 0, 0, 0).value;
}
