// The module's top level ends its stack.
// expect: load_error
// line: 6
// control: throws Maximum call stack
export default { tools: dig() };
function dig() { return dig() + 1; }
