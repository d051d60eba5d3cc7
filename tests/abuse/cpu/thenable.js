// `then` never returns.
// expect: timeout
function run() {
  return {
    then() {
      for (;;);
    },
  };
}
