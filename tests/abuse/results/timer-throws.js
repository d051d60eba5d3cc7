// An exception out of a timer, while the call waits for something else.
// expect: ok|exception
// control: none: Node.js ends the whole process for it
async function run() {
  setTimeout(() => {
    throw new Error('from a timer');
  }, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return 'fine';
}
