// Every reaction queues itself again, before the answer can be given.
// expect: timeout
function run() {
  const again = () => queueMicrotask(again);
  again();
  return new Promise(() => {});
}
