// A thenable that resolves, resolves, rejects and throws.
// expect: ok
// result: 1
// control: returns 1
function run() {
  return { then(resolve, reject) {
    resolve(1);
    resolve(2);
    reject(3);
    throw 4;
  } };
}
