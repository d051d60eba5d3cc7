#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Bundles the platform into one classic script whose completion value is
// bootstrap():  node build-platform.mjs OUT [DEPFILE]

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [out, depfile] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: build-platform.mjs OUT [DEPFILE]');
  process.exit(2);
}

const here = path.dirname(fileURLToPath(import.meta.url));
const result = await build({
  absWorkingDir: here,
  entryPoints: ['platform.js'],
  outfile: path.resolve(out),
  bundle: true,
  format: 'iife',
  globalName: 'platform',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['import'],
  target: 'es2024',
  charset: 'ascii',
  legalComments: 'none',
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
  // The outer function keeps `platform` from being a global.
  banner: { js: '(()=>{"use strict";' },
  footer: { js: 'return platform.bootstrap})()' },
});

if (depfile !== undefined) {
  const inputs = Object.keys(result.metafile.inputs)
    .map((file) => path.resolve(here, file).replaceAll(' ', '\\ '));
  writeFileSync(depfile, `${out}: ${inputs.join(' ')}\n`);
}
