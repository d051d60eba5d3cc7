// The platform's own functions allocate for the tool.
// expect: memory
function run() {
  const text = 'ä'.repeat(1 << 20);
  const encoder = new TextEncoder();
  const kept = [];
  for (;;) kept.push(encoder.encode(text));
}
