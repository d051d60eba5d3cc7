// What was borrowed with `await using` is never given back.
// expect: timeout
async function run() {
  await using lease = {
    async [Symbol.asyncDispose]() {
      for (;;) await null;
    },
  };
  return typeof lease;
}
