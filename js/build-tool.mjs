#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Bundles a tool project, TypeScript too, into the one ES module that a cell
// loads:  node build-tool.mjs ENTRY -o OUT [--sourcemap] [--minify]

import { realpathSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, formatMessages } from 'esbuild';

const USAGE = 'usage: build-tool.mjs ENTRY -o OUT [--sourcemap] [--minify]';
const EXIT_USAGE = 2;
const EXIT_BUILD = 1;

/** The modules of Node that exist inside a cell. */
const OFFERED = new Set(['async_hooks']);

/**
 * Node's modules stay imports. One that a cell does not have would end the
 * loading there: better said here, with the place that imports it. A dynamic
 * import may be guarded by its author and passes.
 */
const nodeModules = {
  name: 'node-modules',
  setup(builder) {
    const names = builtinModules.map((name) => name.replace(/[/]/g, '\\/'));
    const filter = new RegExp(`^(?:node:.*|${names.join('|')})$`);
    builder.onResolve({ filter }, async (args) => {
      if (!args.path.startsWith('node:')) {
        const found = await installed(builder, args);
        if (found !== undefined)
          return found;
      }
      const name = args.path.replace(/^node:/, '');
      if (OFFERED.has(name) || args.kind !== 'import-statement')
        return { path: args.path, external: true };
      return { errors: [{ text: `"${args.path}" does not exist inside a ` +
          `cell (node:${[...OFFERED].join(', node:')} does)` }] };
    });
  },
};

/** A package of the project that is named like a module of Node ("events"). */
async function installed(builder, { path: name, resolveDir, kind, pluginData }) {
  if (pluginData === nodeModules)
    return undefined;
  const found = await builder.resolve(`${name}/`, { resolveDir, kind,
    pluginData: nodeModules });
  return found.errors.length === 0 && !found.external ? found : undefined;
}

/** What every tool is built with. */
const OPTIONS = {
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  conditions: ['workerd', 'worker', 'browser', 'import'], // as Workers'
  mainFields: ['module', 'main'],
  target: 'es2022',
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [nodeModules],
  logLevel: 'silent',
};

/** Builds; resolves to warnings, rejects with esbuild's BuildFailure. */
export async function buildTool({ entry, out, sourcemap = false,
  minify = false }) {
  const { warnings } = await build({ ...OPTIONS, minify,
    sourcemap: sourcemap ? 'inline' : false, entryPoints: [entry],
    outfile: out });
  return warnings;
}

async function say(messages, kind) {
  const texts = await formatMessages(messages,
      { kind, color: process.stderr.isTTY });
  process.stderr.write(texts.join(''));
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true,
      options: { out: { type: 'string', short: 'o' },
        sourcemap: { type: 'boolean' }, minify: { type: 'boolean' } } });
    if (positionals.length !== 1 || values.out === undefined)
      throw new Error('one ENTRY and -o OUT are needed');
    return { entry: positionals[0], ...values };
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    return process.exit(EXIT_USAGE);
  }
}

async function main() {
  const options = readArguments();
  try {
    await say(await buildTool(options), 'warning');
  } catch (error) {
    if (error.errors === undefined)
      throw error;
    await say(error.errors, 'error');
    process.exitCode = EXIT_BUILD;
  }
}

if (fileURLToPath(import.meta.url) === realpathSync(process.argv[1]))
  await main();
