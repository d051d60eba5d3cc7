// Runs out of stack inside the platform, to catch an error of its realm.
// expect: ok|exception|stack
// not: "out"
// args: --timeout-cpu 2s
// control: returns out
function run() {
  const targets = [
    () => new URL('http://a/'), () => structuredClone({ a: 1 }),
    () => new TextEncoder().encode('a'), () => console.log('a'),
    () => setTimeout(() => {}, 1), () => atob('YQ=='),
  ];
  let caught = 'in';
  const dig = (call) => {
    try {
      dig(call);
      call();
    } catch (error) {
      try {
        caught = error.constructor.constructor('return "out"')();
      } catch {
        // code generation is off in every realm there is
      }
    }
  };
  for (const call of targets) dig(call);
  return caught;
}
