// structuredClone copies and copies.
// expect: memory
function run() {
  const model = Array.from({ length: 100_000 }, (_, i) => ({ i }));
  const kept = [];
  for (;;) kept.push(structuredClone(model));
}
