// What JSON makes of numbers that it does not have.
// expect: ok
// result: [null, null, 0, 1e+308, 9007199254740993]
// control: returns
function run() {
  return [NaN, Infinity, -0, 1e308, 9007199254740993];
}
