// Finalizers registered for things that are never let go.
// expect: memory|timeout
// args: --timeout-cpu 3s
function run() {
  const registry = new FinalizationRegistry(() => {});
  const kept = [];
  for (;;) {
    const one = {};
    kept.push(one);
    registry.register(one, { kept: one.x }, one);
  }
}
