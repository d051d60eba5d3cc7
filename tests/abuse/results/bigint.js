// JSON has no BigInt.
// expect: invalid_result
// says: BigInt
// control: throws BigInt
function run() {
  return { total: 10n };
}
