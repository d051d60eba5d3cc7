// Closures that keep each other alive.
// expect: memory
function run() {
  let last = () => 0;
  for (;;) {
    const before = last;
    const some = new Array(16).fill(before);
    last = () => some.length;
  }
}
