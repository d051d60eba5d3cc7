// The platform is asked to construct what the tool chose.
// expect: ok|exception
// not: "out"
// control: returns out
async function run() {
  const seen = [];
  class Spy extends Promise {
    static get [Symbol.species]() {
      return function (executor) {
        seen.push(executor);
        return new Promise(executor);
      };
    }
  }
  await Spy.resolve(1).then(() => {});
  try {
    return seen[0].constructor('return "out"')();
  } catch {
    return 'in';
  }
}
