// Everything other hosts left lying about.
// expect: ok
// result: []
// control: returns process
function run() {
  const names = ['process', 'require', 'module', 'exports', 'Deno', 'Bun',
    'Buffer', '__dirname', 'native', 'bootstrap', 'entry', 'Worker', 'd8',
    'print', 'load', 'read', 'readline', 'quit', 'gc'];
  return names.filter((name) => typeof globalThis[name] !== 'undefined');
}
