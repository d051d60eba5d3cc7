// Sleeps past the wall limit and uses no CPU at all.
// expect: timeout
// says: wall
// args: --timeout 500ms
async function run() {
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  return 'slept';
}
