// toJSON never returns.
// expect: timeout
function run() {
  return {
    toJSON() {
      for (;;);
    },
  };
}
