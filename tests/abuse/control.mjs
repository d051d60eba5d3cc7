// SPDX-License-Identifier: Apache-2.0

// The positive control: the same attack where no wall is. Loads a tool file
// into plain Node.js, calls it once as a naive host would, and says how that
// went in one line of JSON. Its parent bounds and kills it.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const [file, input = 'null'] = process.argv.slice(2);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
globalThis.console = new console.Console(process.stderr);

async function load() {
  const source = readFileSync(file, 'utf8');
  if (/^(import|export)\b/m.test(source)) {
    const { default: tool } = await import(pathToFileURL(file));
    return Object.values(tool.tools)[0].run;
  }
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  vm.runInThisContext(source, { filename: file, importModuleDynamically });
  return globalThis.run;
}

say({ at: 'start' });
try {
  const run = await load();
  say({ at: 'loaded' });
  const result = await run(JSON.parse(input), {});
  const text = JSON.stringify(result) ?? 'nothing';
  say({ ok: true, bytes: text.length, result: text.slice(0, 1000) });
} catch (error) {
  say({ ok: false, message: String(error.message), stack: String(error.stack) });
}
