// A pattern nested deeper than the pattern parser's stack.
// expect: stack|exception
// args: --timeout-cpu 5s
// control: throws
function run() {
  return new RegExp('('.repeat(200_000) + ')'.repeat(200_000)).test('a');
}
