// Generator functions have a constructor as well.
// expect: exception
// control: returns out
function run() {
  const GeneratorFunction = function* () {}.constructor;
  return GeneratorFunction('return "out"')().next().value;
}
