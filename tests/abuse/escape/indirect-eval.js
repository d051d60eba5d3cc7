// eval by another name.
// expect: exception
// control: returns out
function run() {
  return (0, globalThis['ev' + 'al'])('"out"');
}
