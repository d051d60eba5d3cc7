// Tables of WebAssembly, a million references each.
// expect: memory
function run() {
  const kept = [];
  for (;;) {
    kept.push(new WebAssembly.Table({ element: 'externref', initial: 1e6 }));
  }
}
