#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Bundles every server of this folder:  node build.mjs DIRECTORY

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildTool } from '../../js/build-tool.mjs';

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: build.mjs DIRECTORY');
  process.exit(2);
}

const here = path.dirname(fileURLToPath(import.meta.url));
const sources = (await readdir(here)).filter((name) => name.endsWith('.ts'));
await Promise.all(sources.map((name) => buildTool({
  entry: path.join(here, name),
  out: path.join(directory, name.replace(/\.ts$/, '.js')),
})));
