// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';

let folder;

// A scratch file that is gone when this process ends.
export function scratch(name, text) {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'cordon-bench-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}
