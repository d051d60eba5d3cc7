// Forty definitions, each the one before it twice: a million million checks.
// expect: exception|timeout
// says: takes too long to be checked|CPU time
// input: {"n":1}
// control: stays
const $defs = { l0: { type: 'number' } };
for (let i = 1; i <= 40; i++) {
  const below = { $ref: `#/$defs/l${i - 1}` };
  $defs[`l${i}`] = { allOf: [below, below] };
}
const fits = (value, name) => (name === 'l0' ? typeof value === 'number' :
  $defs[name].allOf.every(({ $ref }) => fits(value, $ref.slice(8))));
export default { tools: { t: {
  inputSchema: { type: 'object', $defs,
    properties: { n: { $ref: '#/$defs/l40' } } },
  run: ({ n }) => fits(n, 'l40'),
} } };
