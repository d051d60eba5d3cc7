// Throws null.
// expect: exception
// control: none: a naive host breaks on reading its message
function run() {
  throw null;
}
