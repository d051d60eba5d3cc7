// A schema that is to be fetched from the network.
// expect: load_error
// says: refers to .*169\.254\.169\.254.*nothing is fetched
// control: none: nothing is fetched by a schema in plain Node.js either
export default { tools: { t: {
  inputSchema: { type: 'object',
    properties: { a: { $ref: 'http://169.254.169.254/latest/schema' } } },
  run: () => 1,
} } };
