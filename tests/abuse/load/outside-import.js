// Imports a file of the host by its path.
// expect: load_error
// control: throws SyntaxError|Unexpected|Unknown file extension
import passwd from '/etc/passwd';
export default { tools: { passwd } };
