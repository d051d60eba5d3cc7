// toString through join, which calls toString.
// expect: stack
// control: throws Maximum call stack
function run() {
  const a = { toString: () => `${[a]}` };
  return String(a);
}
