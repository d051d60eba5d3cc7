// The same, coming in.
// expect: ok
// input: {"__proto__": {"isAdmin": true}, "constructor": {"prototype": {"x": 1}}}
// result: {"own": true, "admin": "undefined", "x": "undefined"}
// control: returns
function run(input) {
  return {
    own: Object.hasOwn(input, '__proto__'),
    admin: typeof {}.isAdmin,
    x: typeof {}.x,
  };
}
