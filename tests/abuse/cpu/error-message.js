// The error's message is a getter that never returns.
// expect: timeout|exception
function run() {
  throw Object.defineProperty(new Error('x'), 'message', {
    get() {
      for (;;);
    },
  });
}
