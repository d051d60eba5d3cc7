// Exports nothing a host could call.
// expect: load_error
// control: none: only a host knows what a tool is
export default 42;
