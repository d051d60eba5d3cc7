// JSON has no symbols.
// expect: invalid_result
// says: symbol
// control: returns
function run() {
  return Symbol('x');
}
