// The answer holds a getter that never returns.
// expect: timeout
function run() {
  return {
    get price() {
      for (;;);
    },
  };
}
