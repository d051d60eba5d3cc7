// SPDX-License-Identifier: Apache-2.0

// Puts the examples into a folder that `cordon serve` can take: single files
// as they are, TypeScript bundled by `cordon build`.
//
//     node scripts/examples.mjs build/examples

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const from = join(root, 'examples');
const to = resolve(process.argv[2] ?? join(root, 'build/examples'));

const isNewer = (a, b) =>
  !existsSync(b) || statSync(a).mtimeMs > statSync(b).mtimeMs;

mkdirSync(to, { recursive: true });

for (const name of readdirSync(from)) {
  if (!name.endsWith('.js') && name !== 'cordon.json') continue;
  if (isNewer(join(from, name), join(to, name))) {
    copyFileSync(join(from, name), join(to, name));
  }
}

for (const name of readdirSync(join(from, 'src'))) {
  const source = join(from, 'src', name);
  const bundle = join(to, `${basename(name, '.ts')}.js`);
  if (!isNewer(source, bundle)) continue;
  execFileSync(join(to, '..', 'cordon'), ['build', source, '-o', bundle],
    { stdio: ['ignore', 'ignore', 'inherit'] });
}
