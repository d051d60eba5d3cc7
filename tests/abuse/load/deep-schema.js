// A schema whose default has more levels than the host reads.
// expect: load_error
// says: deeper than 256 levels
// control: none: Node.js asks for no surface
let deep = {};
for (let i = 0; i < 3000; i++) deep = { deep };
const inputSchema = { type: 'object', default: deep };
export default { tools: { deep: { inputSchema, run: () => 1 } } };
