// The caller of a sloppy function, and its arguments.
// expect: ok
// result: "in"
// control: none: modern hosts are strict too
function run() {
  const seen = [run.caller, run.arguments?.callee?.caller];
  return seen.some((one) => one) ? 'out' : 'in';
}
