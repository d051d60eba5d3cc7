// The function constructor, found through a constructor's constructor.
// expect: exception
// control: returns out
function run() {
  return {}.constructor.constructor('return "out"')();
}
