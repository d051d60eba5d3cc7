// What is thrown is turned into text by a function that never returns.
// expect: timeout|exception
function run() {
  throw {
    get message() {
      for (;;);
    },
    [Symbol.toPrimitive]() {
      for (;;);
    },
  };
}
