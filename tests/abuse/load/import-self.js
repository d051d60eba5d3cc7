// Its top level waits for the import of itself.
// expect: load_error
// says: top-level await can never settle
// control: none: Node.js ends too, with exit 13
const self = await import('./import-self.js');
export default { tools: { self: { run: () => Object.keys(self) } } };
