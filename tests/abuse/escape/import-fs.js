// import() of the file system.
// expect: exception
// control: returns out
async function run() {
  const { readFileSync } = await import('node:fs');
  return readFileSync('/etc/passwd').length > 0 ? 'out' : 'in';
}
