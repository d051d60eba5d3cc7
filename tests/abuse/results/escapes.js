// Small as a string, six times as large as JSON.
// expect: result_too_large
// control: returns
function run() {
  return '\u0001'.repeat(300_000);
}
