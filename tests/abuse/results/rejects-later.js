// The promise it returned rejects after a while.
// expect: exception
// says: later
// control: throws later
async function run() {
  await new Promise((resolve) => setTimeout(resolve, 10));
  throw new RangeError('later');
}
