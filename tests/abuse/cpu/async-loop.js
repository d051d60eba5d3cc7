// An async generator that yields for ever.
// expect: timeout
async function run() {
  async function* numbers() {
    for (let i = 0; ; i++) yield i;
  }
  let sum = 0;
  for await (const n of numbers()) sum += n;
  return sum;
}
