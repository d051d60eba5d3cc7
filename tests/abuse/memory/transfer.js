// Buffers that change their owner and grow.
// expect: memory
function run() {
  const kept = [];
  for (;;) {
    const buffer = new ArrayBuffer(1 << 20).transfer(2 << 20);
    new Uint8Array(buffer).fill(1);
    kept.push(buffer);
  }
}
