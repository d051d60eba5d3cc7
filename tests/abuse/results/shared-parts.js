// A few objects that are a gigabyte when written out.
// expect: result_too_large|memory|timeout|exception|invalid_result
// args: --timeout-cpu 5s
// control: throws Invalid string length
function run() {
  let tree = ['x'.repeat(1000)];
  for (let i = 0; i < 20; i++) tree = [tree, tree];
  return tree;
}
