// A schema that is itself, and nothing else.
// expect: exception
// says: takes too long to be checked
// input: {"n":1}
// control: throws Maximum call stack
const fits = (schema) => fits(schema.properties.n);
const loop = { $ref: '#/properties/n' };
export default { tools: { t: {
  inputSchema: { type: 'object', properties: { n: loop } },
  run: () => {
    const schema = { properties: {} };
    schema.properties.n = schema;
    return fits(schema);
  },
} } };
