// Joining a sparse array: small to make, huge as text.
// expect: memory|exception|timeout
// args: --timeout-cpu 3s
function run() {
  const kept = [];
  for (;;) {
    const sparse = new Array(25_000_000);
    kept.push(sparse.join('xxxxxxxxxxxxxxxx'), [...sparse.join('ab')]);
  }
}
