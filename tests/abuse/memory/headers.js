// One header, as long as there is memory.
// expect: memory
function run() {
  const headers = new Headers();
  for (let i = 0; ; i++) headers.append(`k${i % 100}`, 'v'.repeat(100_000));
}
