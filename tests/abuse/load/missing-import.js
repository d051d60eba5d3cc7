// Imports a file that is not in the bundle.
// expect: load_error
// says: not-here
// control: throws not-here
import { x } from './not-here.js';
export default { tools: { x } };
