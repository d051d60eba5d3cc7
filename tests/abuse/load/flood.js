// The module takes all memory while it loads.
// expect: load_error
// control: grows
const kept = [];
for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
export default { kept };
