// new Function.
// expect: exception
// control: returns out
function run() {
  return new Function('return "out"')();
}
