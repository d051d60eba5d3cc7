// A bare script: one function, called with the JSON that comes in.
//
//     cordon run examples/hello.js '{"name":"Ada"}'

function run(input) {
  const name = input?.name ?? 'world';
  console.log(`greeting ${name}`);
  return { greeting: `Hello, ${name}!`, at: new Date().toISOString() };
}
