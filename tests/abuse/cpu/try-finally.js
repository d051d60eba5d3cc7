// A loop that re-enters itself from its finally block.
// expect: timeout
function run() {
  for (;;) {
    try {
      for (;;);
    } finally {
      continue;
    }
  }
}
