// A promise whose own then() answers something else.
// expect: ok
// result: "honest"
// control: returns forged
class Lie extends Promise {
  then(resolve, reject) {
    resolve?.('forged');
    return super.then(resolve, reject);
  }
}
function run() {
  return Lie.resolve('honest');
}
