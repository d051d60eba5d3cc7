// A small text that is a large structure.
// expect: memory
function run() {
  const text = `[${'{},'.repeat(1_000_000)}{}]`;
  const kept = [];
  for (;;) kept.push(JSON.parse(text));
}
