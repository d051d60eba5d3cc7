// One line of 50 MB.
// expect: ok|memory|timeout
// args: --timeout-cpu 5s --memory 1GiB
// control: returns done
function run() {
  console.error('x'.repeat(50_000_000));
  return 'done';
}
