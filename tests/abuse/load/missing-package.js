// Imports a package that nobody bundled.
// expect: load_error
// says: left-pad
// control: throws left-pad
import pad from 'left-pad';
export default { tools: { pad } };
