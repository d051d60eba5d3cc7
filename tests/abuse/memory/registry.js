// The table of symbols that the whole realm shares.
// expect: memory
function run() {
  for (let i = 0; ; i++) Symbol.for('x'.repeat(2_000_000) + i);
}
