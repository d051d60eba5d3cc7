// A tool without a function.
// expect: load_error
// says: broken_tool
// control: none: only a host knows what a tool is
export default {
  name: 'bad',
  version: '1.0.0',
  tools: { broken_tool: { description: 'x', inputSchema: { type: 'object' } } },
};
