// import() of builtin modules without their prefix.
// expect: exception
// control: returns out
async function run() {
  const { execFileSync } = await import('child_process');
  return execFileSync('true').length === 0 ? 'out' : 'in';
}
