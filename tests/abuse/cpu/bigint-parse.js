// A number of a million digits, read and written again and again.
// expect: timeout
function run() {
  for (;;) String(BigInt('9'.repeat(1e6)));
}
