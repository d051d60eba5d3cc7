// JSON has no functions.
// expect: invalid_result
// says: function
// control: returns
function run() {
  return () => 1;
}
