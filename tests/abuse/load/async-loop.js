// A top-level await that never settles.
// expect: load_error
// control: none: Node.js ends with status 13 by itself
await new Promise(() => {});
export default { tools: {} };
