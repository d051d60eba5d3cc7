// The other function constructors.
// expect: exception
// control: returns out
async function run() {
  const AsyncFunction = (async () => {}).constructor;
  return AsyncFunction('return "out"')();
}
