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

export function machine() {
  const model = readFileSync('/proc/cpuinfo', 'utf8').match(/^model name\s*:\s*(.*)$/m);
  return {
    cores: availableParallelism(),
    cpu: model === null ? process.arch : model[1].trim(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release().match(/^\d+\.\d+/)[0],
    ...engine(),
    packages: Object.fromEntries(['isolated-vm', 'quickjs-emscripten', 'workerd', 'deno', 'mcp-hub', 'mcp-proxy', 'supergateway',
      '@modelcontextprotocol/sdk'].map((name) => [name, version(name)])),
  };
}
