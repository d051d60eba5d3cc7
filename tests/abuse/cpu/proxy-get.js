// Every property of the answer is a trap, `then` and `toJSON` among them.
// expect: timeout
function run() {
  return new Proxy({}, {
    get() {
      for (;;);
    },
  });
}
