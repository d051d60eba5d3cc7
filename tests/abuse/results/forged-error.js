// A polluted prototype must not turn an error into an answer.
// expect: exception
// says: really failed
// control: throws really failed
function run() {
  for (const key of ['ok', 'result', 'code', 'toJSON', 'then']) {
    Object.defineProperty(Object.prototype, key, {
      configurable: true,
      get: () => undefined,
      set() {},
    });
  }
  Object.prototype.isError = false;
  Object.prototype.message = 'all is well';
  throw new Error('really failed');
}
