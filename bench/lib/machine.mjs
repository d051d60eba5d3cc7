// SPDX-License-Identifier: Apache-2.0
// What the run ran on, without names that are nobody's business.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { binary } from './binaries.mjs';

function version(name) {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

function engine() {
  const text = execFileSync(binary('node'), ['-p', 'process.version + " " + process.versions.v8'], { encoding: 'utf8' });
  const [node, v8] = text.trim().split(' ');
  return { node, v8 };
}

// Of programs that Debian ships; those that are missing are left out.
function programs() {
  const found = {};
  for (const [name, ...args] of [['bwrap', '--version'], ['crun', '--version'], ['runc', '--version'], ['firejail', '--version']]) {
    try {
      found[name] = execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).match(/\d+(\.\d+)+/)[0];
    } catch { /* its row says so */ }
  }
  return found;
}

export function machine() {
  const model = readFileSync('/proc/cpuinfo', 'utf8').match(/^model name\s*:\s*(.*)$/m);
  return {
    cores: availableParallelism(),
    cpu: model === null ? process.arch : model[1].trim(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release().match(/^\d+\.\d+/)[0],
    ...engine(),
    packages: { ...Object.fromEntries(['isolated-vm', 'quickjs-emscripten', 'workerd', 'deno', 'mcp-hub', 'mcp-proxy', 'supergateway',
      '@modelcontextprotocol/sdk', '@anthropic-ai/sandbox-runtime'].map((name) => [name, version(name)])), ...programs() },
  };
}
