// A description of 64 MB in what the server advertises.
// expect: load_error
// args: --memory 1GiB
// control: returns
export default {
  name: 'huge',
  version: '1.0.0',
  tools: {
    huge: {
      description: 'x'.repeat(64 << 20),
      inputSchema: { type: 'object' },
      run: () => 1,
    },
  },
};
