// At the end of its stack it calls the platform, again and again.
// expect: ok|stack|timeout|exception|invalid_result
// args: --timeout-cpu 2s
// control: returns
function run() {
  let caught = 0;
  const dig = () => {
    try {
      dig();
    } catch {
      try {
        new URL('http://example.org/');
        console.log(caught++);
        structuredClone({});
      } catch {
        // the stack was too short for that as well
      }
    }
  };
  dig();
  return { caught: caught >= 0 };
}
