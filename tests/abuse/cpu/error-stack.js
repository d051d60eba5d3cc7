// The error's stack is a getter that never returns.
// expect: timeout|exception
function run() {
  throw Object.defineProperty(new Error('x'), 'stack', {
    get() {
      for (;;);
    },
  });
}
