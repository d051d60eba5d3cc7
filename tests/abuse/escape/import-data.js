// import() of code in a data: URL.
// expect: exception
// control: returns out
async function run() {
  const code = 'data:text/javascript,export default "out"';
  return (await import(code)).default;
}
