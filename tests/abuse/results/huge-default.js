// 300 MB of answer within the default limits.
// expect: result_too_large|memory|timeout
// control: returns
function run() {
  return 'x'.repeat(300_000_000);
}
