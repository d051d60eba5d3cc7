// The module never finishes loading.
// expect: load_error
// control: stays
for (;;);
export default { tools: {} };
