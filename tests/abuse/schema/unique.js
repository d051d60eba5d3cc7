// Items that can only be compared each with each.
// expect: timeout
// input: {"n":30000}
// control: stays
const twins = (items) => items.some((a, i) => items.some((b, k) =>
  k !== i && JSON.stringify(a) === JSON.stringify(b)));
export default { tools: { t: {
  inputSchema: { type: 'object' },
  outputSchema: { type: 'object', properties: { items: { uniqueItems: true } } },
  run({ n }) {
    const items = Array.from({ length: n }, (_, i) => ({ i: { i: { i } } }));
    if (globalThis.process !== undefined) twins(items); // the control
    return { items };
  },
} } };
