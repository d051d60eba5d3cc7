// Accessors on Object.prototype for every member that an answer is made with.
// expect: exception
// says: "message":"real"
// not: forged
// control: none: there is no answer in plain Node.js
function run() {
  const names = ['0', '1', '2', 'then', 'toJSON', 'message', 'stack', 'name',
    'file', 'line', 'column', 'fn', 'first', 'length', 'get', 'set', 'value',
    'generation', 'sink', 'answered', 'pending', 'left', 'above'];
  for (let i = 0; i < names.length; i++) {
    Object.defineProperty(Object.prototype, names[i], { __proto__: null,
      get() { return 'forged'; }, set() { throw 'forged'; } });
  }
  throw new Error('real');
}
