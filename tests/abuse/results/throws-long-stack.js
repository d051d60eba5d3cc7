// An error with a stack of 100 MB, and a name as long.
// expect: exception|memory|timeout
// args: --memory 1GiB --timeout-cpu 5s
// bytes: 65536
// control: throws
function run() {
  const error = new Error('x');
  error.stack = 'y'.repeat(100_000_000);
  error.name = 'z'.repeat(100_000_000);
  throw error;
}
