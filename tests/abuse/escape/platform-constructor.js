// The constructor of a function that the platform made.
// expect: exception
// control: returns out
function run() {
  return setTimeout.constructor('return "out"')();
}
