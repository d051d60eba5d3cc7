// Turning a huge number into decimal text, in one call of the engine.
// expect: timeout|exception
function run() {
  let bytes = 0;
  for (;;) bytes += String((1n << 8_000_000n) - 1n).length;
}
