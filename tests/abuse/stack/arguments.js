// More arguments than a stack can hold.
// expect: stack|exception
// args: --timeout-cpu 5s
// control: throws
function run() {
  return Math.max(...new Uint8Array(5_000_000));
}
