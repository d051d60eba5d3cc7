// 300 MB of answer.
// expect: result_too_large|memory
// args: --memory 2GiB --timeout-cpu 20s
// control: returns
function run() {
  return 'x'.repeat(300_000_000);
}
