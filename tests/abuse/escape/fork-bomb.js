// Starting more of oneself.
// expect: ok
// result: "in"
// control: none: the control must not fork
function run() {
  const starters = ['Worker', 'SharedWorker', 'fork', 'spawn'];
  return starters.every((name) => !(name in globalThis)) ? 'in' : 'out';
}
