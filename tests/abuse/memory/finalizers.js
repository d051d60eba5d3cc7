// Finalizers registered for things that are never let go.
// expect: memory
function run() {
  const registry = new FinalizationRegistry(() => {});
  const kept = [];
  for (;;) {
    const one = {};
    kept.push(one);
    registry.register(one, { kept: one.x }, one);
  }
}
