// A thenable that resolves to a thenable, for ever.
// expect: timeout
function run() {
  const again = () => ({ then: (resolve) => resolve(again()) });
  return again();
}
