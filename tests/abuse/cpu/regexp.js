// A regular expression that backtracks for ages.
// expect: timeout
function run() {
  return /^(a+)+$/.test(`${'a'.repeat(40)}b`);
}
