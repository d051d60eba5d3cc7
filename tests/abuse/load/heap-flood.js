// The same, inside the heap.
// expect: load_error
// control: grows
const kept = [];
for (;;) kept.push({ a: [kept.length] });
export default { kept };
