// A schema of more levels than the host reads.
// expect: load_error
// says: deeper than 256 levels
// control: none: Node.js asks for no surface
let inputSchema = { type: 'object' };
for (let i = 0; i < 3000; i++) inputSchema = { type: 'object', not: inputSchema };
export default { tools: { deep: { inputSchema, run: () => 1 } } };
