// A getter in the answer that reads itself.
// expect: stack
// control: throws Maximum call stack
function run() {
  return {
    get a() {
      return this.a;
    },
  };
}
