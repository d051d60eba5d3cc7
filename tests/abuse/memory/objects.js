// Small objects, all kept.
// expect: memory
function run() {
  const kept = [];
  for (;;) kept.push({ a: 1, b: [kept.length] });
}
