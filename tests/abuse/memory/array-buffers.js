// ArrayBuffers live outside the heap: an engine's heap limit misses them.
// expect: memory
function run() {
  const kept = [];
  for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
}
