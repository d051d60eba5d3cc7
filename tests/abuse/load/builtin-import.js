// Imports the file system, statically.
// expect: load_error
// says: node:fs
// control: returns "root:
import { readFileSync } from 'node:fs';
export default {
  tools: {
    read: {
      description: 'reads',
      inputSchema: { type: 'object' },
      run: () => readFileSync('/etc/passwd', 'utf8').slice(0, 5),
    },
  },
};
