// Numbers of a megabyte each.
// expect: memory
function run() {
  const kept = [];
  for (let i = 1n; ; i++) kept.push((1n << 8_000_000n) + i);
}
