// Growable SharedArrayBuffers: not even in the garbage collector's book.
// expect: memory|exception
function run() {
  const kept = [];
  for (;;) {
    const buffer = new SharedArrayBuffer(0, { maxByteLength: 64 << 20 });
    buffer.grow(64 << 20);
    new Uint8Array(buffer).fill(1);
    kept.push(buffer);
  }
}
