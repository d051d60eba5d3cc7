// An answer nested deeper than a serialiser can follow.
// expect: stack|invalid_result|result_too_large
// args: --timeout-cpu 5s
// control: returns deep
function run() {
  let deep = {};
  for (let i = 0; i < 200_000; i++) deep = { deep };
  return deep;
}
