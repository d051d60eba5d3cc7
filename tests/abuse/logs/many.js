// A million empty lines.
// expect: ok|timeout
// args: --timeout-cpu 10s
// control: returns done
function run() {
  for (let i = 0; i < 1_000_000; i++) console.log('');
  return 'done';
}
