// Errors with their stack traces.
// expect: memory
function run() {
  Error.stackTraceLimit = 200;
  const kept = [];
  const dig = (n) => (n === 0 ? kept.push(new Error('x')) : dig(n - 1));
  for (;;) dig(150);
}
