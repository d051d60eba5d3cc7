// Promises that wait for each other.
// expect: memory
async function run() {
  const kept = [];
  const forever = new Promise(() => {});
  for (;;) kept.push(forever.then(() => kept.length));
}
