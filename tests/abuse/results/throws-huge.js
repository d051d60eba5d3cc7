// An error with 100 MB of message.
// expect: exception|memory|timeout
// args: --memory 1GiB --timeout-cpu 5s
// bytes: 65536
// control: throws
function run() {
  throw new Error('x'.repeat(100_000_000));
}
