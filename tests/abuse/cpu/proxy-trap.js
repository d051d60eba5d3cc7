// The host is asked for a property; the trap never answers.
// expect: timeout
function run() {
  return new Proxy({}, {
    ownKeys() {
      for (;;);
    },
  });
}
