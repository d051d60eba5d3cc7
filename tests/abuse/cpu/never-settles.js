// A promise that nobody will ever settle.
// expect: timeout
// says: wall
// args: --timeout 1s
// control: none: nothing runs, a naive host waits until its own end
function run() {
  return new Promise(() => {});
}
