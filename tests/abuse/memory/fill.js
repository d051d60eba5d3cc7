// One call of the engine that fills an array.
// expect: memory
function run() {
  const kept = [];
  for (;;) kept.push(new Array(30_000_000).fill(1.5));
}
