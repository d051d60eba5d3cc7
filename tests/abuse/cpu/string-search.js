// Searching a string for what is nearly everywhere in it.
// expect: timeout
// args: --memory 512MiB
function run() {
  const hay = 'a'.repeat(20_000_000);
  let found = 0;
  for (;;) found += hay.lastIndexOf(`b${'a'.repeat(1000)}`);
}
