// The answer is small until somebody reads it.
// expect: memory
function run() {
  return {
    get items() {
      const kept = [];
      for (;;) kept.push({ a: [kept.length] });
    },
  };
}
