// One arithmetic operation that takes for ever: no loop to interrupt.
// expect: timeout|exception
// args: --memory 512MiB
// control: stays
function run() {
  let n = 3n ** 2_000_000n;
  for (;;) n = (n * n) >> 3_000_000n;
}
