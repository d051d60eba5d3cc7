// The answer is ready, but reactions queued before it never end.
// expect: ok|timeout
// control: stays
function run() {
  const again = () => Promise.resolve().then(again);
  again();
  return 'answered';
}
