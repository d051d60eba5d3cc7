// A timer given text to run.
// expect: ok|exception
// not: "out"
// control: none: Node.js refuses text too
async function run() {
  globalThis.state = 'in';
  setTimeout('globalThis.state = "out"', 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return globalThis.state;
}
