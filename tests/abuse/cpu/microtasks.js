// Promise reactions that always queue the next one.
// expect: timeout
async function run() {
  for (;;) await null;
}
