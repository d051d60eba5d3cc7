// structuredClone reads a getter that never returns.
// expect: timeout
function run() {
  return structuredClone({
    get a() {
      for (;;);
    },
  });
}
