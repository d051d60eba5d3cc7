// SPDX-License-Identifier: Apache-2.0
// One classic script for an isolate without a platform: the polyfills, the
// server bundle, and serve(url, init), which answers with the body's text.
//
//     node bundle.mjs SERVER OUT
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const [server, out] = process.argv.slice(2);
const platform = fileURLToPath(new URL('./platform.mjs', import.meta.url));
await build({
  stdin: {
    contents: `import ${JSON.stringify(platform)};
import server from ${JSON.stringify(server)};
globalThis.serve = async (url, init) =>
  (await server.fetch(new Request(url, JSON.parse(init)), {}, { waitUntil() {} })).text();
`,
    resolveDir: fileURLToPath(new URL('.', import.meta.url)),
  },
  bundle: true, format: 'iife', outfile: out, logLevel: 'error', target: 'esnext',
});
