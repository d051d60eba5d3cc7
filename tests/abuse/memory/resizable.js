// Resizable ArrayBuffers reserve first and grow later.
// expect: memory
function run() {
  const kept = [];
  for (;;) {
    const buffer = new ArrayBuffer(0, { maxByteLength: 64 << 20 });
    buffer.resize(64 << 20);
    new Uint8Array(buffer).fill(1);
    kept.push(buffer);
  }
}
