// A pattern that takes exponential time, and the text for it.
// expect: timeout
// input: {"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}
// control: stays
export default { tools: { t: {
  inputSchema: { type: 'object',
    properties: { text: { type: 'string', pattern: '^(a+)+$' } } },
  run: ({ text }) => /^(a+)+$/.test(text),
} } };
