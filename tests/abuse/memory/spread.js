// A typed array spread into an ordinary one.
// expect: memory
function run() {
  const kept = [];
  for (;;) kept.push([...new Uint8Array(4_000_000)]);
}
