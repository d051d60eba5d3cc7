// A plain loop.
// expect: timeout
function run() {
  for (;;);
}
