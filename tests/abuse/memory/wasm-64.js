// WebAssembly's memories with addresses of 64 bits.
// expect: memory
function run() {
  const kept = [];
  for (;;) {
    const memory = new WebAssembly.Memory({ initial: 500n, maximum: 100_000n,
      address: 'i64' });
    new Uint8Array(memory.buffer).fill(1);
    kept.push(memory);
  }
}
