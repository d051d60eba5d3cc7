// import() of something whose text is made by the tool as it is asked.
// expect: exception
// control: returns out
async function run() {
  let asked = 0;
  const fickle = { toString: () => (asked++ ? './x.js' : 'node:os') };
  return (await import(fickle)).EOL ? 'out' : 'in';
}
