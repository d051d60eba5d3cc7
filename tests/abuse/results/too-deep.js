// A result of more levels than the host reads.
// expect: invalid_result
// says: deeper than 256 levels
// control: returns \[\[\[\[
function run() {
  let value = 0;
  for (let i = 0; i < 3000; i++) value = [value];
  return value;
}
