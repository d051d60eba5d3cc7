// 60 MB of log lines, then an answer.
// expect: ok|timeout
// args: --timeout-cpu 5s
// result: "done"
// control: returns done
function run() {
  const line = 'x'.repeat(60_000);
  for (let i = 0; i < 1000; i++) console.log(line);
  return 'done';
}
