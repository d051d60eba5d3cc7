// A key named __proto__ is a key like any other.
// expect: ok
// text: "__proto__":\s*\{"polluted":\s*true\}
// control: returns
function run() {
  return JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
}
