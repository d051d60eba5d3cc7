// Two megabytes, where one is the limit.
// expect: result_too_large
// control: returns
function run() {
  return 'x'.repeat(2 << 20);
}
