// Throws a symbol, which cannot be turned into text by adding.
// expect: exception
// control: none: a naive host breaks on turning it into text
function run() {
  throw Symbol('thrown');
}
