// Compiled patterns are memory too.
// expect: memory|timeout
// args: --timeout-cpu 3s
function run() {
  const kept = [];
  for (let i = 0; ; i++) {
    const pattern = new RegExp(`(${'[a-z0-9]+x|'.repeat(500)}${i})`, 'u');
    pattern.test('abcdefgh');
    kept.push(pattern, `${i}`.repeat(1000).split(''));
  }
}
