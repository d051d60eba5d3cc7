// A generator without an end, spread by the engine itself.
// expect: timeout
// args: --memory 1GiB
function run() {
  const numbers = { *[Symbol.iterator]() { for (;;) yield undefined; } };
  const [, ...rest] = new Set(numbers);
  return rest.length;
}
