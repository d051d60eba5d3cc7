// The tool table is a proxy whose traps loop.
// expect: load_error
// control: stays
const loop = () => {
  for (;;);
};
export default { tools: new Proxy({}, { ownKeys: loop, get: loop }) };
