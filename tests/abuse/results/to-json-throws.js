// toJSON throws.
// expect: exception|invalid_result
// says: not today
// control: throws not today
function run() {
  return {
    toJSON() {
      throw new Error('not today');
    },
  };
}
