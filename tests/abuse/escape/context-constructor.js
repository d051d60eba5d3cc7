// The constructor of an object that the host handed in.
// expect: exception
// control: returns out
function run(input, context) {
  const given = context ?? input ?? {};
  return given.constructor.constructor('return "out"')();
}
