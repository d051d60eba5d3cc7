// A schema of three thousand levels, each a schema.
// expect: load_error
// says: nested deeper than 64 levels
// control: none: Node.js reads no schema
let inputSchema = { type: 'object' };
for (let i = 0; i < 3000; i++) inputSchema = { type: 'object', not: inputSchema };
export default { tools: { deep: { inputSchema, run: () => 1 } } };
