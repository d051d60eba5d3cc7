// The engine calls back into the tool to format a stack.
// expect: timeout|exception
function run() {
  Error.prepareStackTrace = () => {
    for (;;);
  };
  throw new Error('x');
}
