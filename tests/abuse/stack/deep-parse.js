// JSON nested so deep that its parser, or what walks the result, ends.
// expect: stack|exception|invalid_result|memory|result_too_large
// args: --timeout-cpu 5s
// control: stays
function run() {
  return JSON.parse('['.repeat(5_000_000) + ']'.repeat(5_000_000));
}
