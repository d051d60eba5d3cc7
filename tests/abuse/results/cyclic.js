// An answer that holds itself.
// expect: invalid_result
// says: cycl|circular
// control: throws circular
function run() {
  const a = { list: [1, 2] };
  a.list.push(a);
  return a;
}
