// Maps and sets that only grow.
// expect: memory
function run() {
  const maps = [];
  for (;;) {
    const map = new Map();
    for (let i = 0; i < 1_000_000; i++) map.set(i, [i]);
    maps.push(map);
  }
}
