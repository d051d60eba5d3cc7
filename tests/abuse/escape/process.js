// The process object, and what it knows.
// expect: ok
// result: "in"
// control: returns out
function run() {
  const found = globalThis.process?.env ?? globalThis.process?.binding;
  return found === undefined ? 'in' : 'out';
}
