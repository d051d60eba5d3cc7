// Writes its own surface through a patched Array.prototype.
// expect: load_error
// says: what the bundle declares is not JSON
// control: none: Node.js asks for no surface
Array.prototype.join = () => '}{"forged":true';
export default { tools: { forger: { run: () => 1 } } };
