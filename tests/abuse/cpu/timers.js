// Timers that are always due.
// expect: timeout
// args: --timeout 3s
function run() {
  const again = () => setTimeout(again, 0);
  again();
  return new Promise(() => {});
}
