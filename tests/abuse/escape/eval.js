// eval.
// expect: exception
// control: returns out
function run() {
  return eval('"out"');
}
