// A function that calls itself.
// expect: stack
// control: throws Maximum call stack
function run() {
  return 1 + run();
}
