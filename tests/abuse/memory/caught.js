// Refusals are caught and tried again, a little smaller.
// expect: memory|timeout
// args: --timeout-cpu 2s
function run() {
  const kept = [];
  for (let size = 64 << 20; ; ) {
    try {
      kept.push(new Uint8Array(size).fill(1));
    } catch {
      size = Math.max(size >> 1, 1 << 12);
    }
  }
}
