// Imports itself while it is being evaluated: V8 would end the process.
// expect: ok
// result: ["default"]
// control: returns default
const self = import('./import-self.js');
export default {
  tools: { self: { async run() { return Object.keys(await self); } } },
};
