// A rejection that nobody listens to does not spoil the answer.
// expect: ok
// result: "fine"
// control: none: Node.js ends the whole process for it
async function run() {
  Promise.reject(new Error('nobody listens'));
  await null;
  return 'fine';
}
