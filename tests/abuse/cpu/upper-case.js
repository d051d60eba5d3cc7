// One native call after another that no interrupt reaches inside.
// expect: timeout
function run() {
  const text = 'ß'.repeat(1e7);
  for (;;) text.toUpperCase();
}
