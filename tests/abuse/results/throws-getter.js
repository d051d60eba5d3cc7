// An error whose every property throws.
// expect: exception
// control: none: a naive host breaks on reading it
function run() {
  const error = new Error('x');
  for (const key of ['message', 'stack', 'name', 'cause', 'toString']) {
    Object.defineProperty(error, key, {
      get() {
        throw error;
      },
    });
  }
  throw error;
}
