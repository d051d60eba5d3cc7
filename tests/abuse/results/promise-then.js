// A replaced Promise.prototype.then may hang the tool, not forge an answer.
// expect: ok|timeout|exception
// args: --timeout 1s
// not: forged
// control: none: compares an answer, not an attack on its caller
async function run() {
  Promise.prototype.then = function (resolve) {
    resolve?.({ forged: true });
    return this;
  };
  return { honest: true };
}
