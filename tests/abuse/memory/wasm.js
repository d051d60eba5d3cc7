// WebAssembly memory, grown page by page.
// expect: memory|exception
function run() {
  const kept = [];
  for (;;) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    for (let i = 0; i < 16; i++) memory.grow(64);
    new Uint8Array(memory.buffer).fill(1);
    kept.push(memory);
  }
}
