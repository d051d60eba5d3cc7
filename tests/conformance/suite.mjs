// SPDX-License-Identifier: Apache-2.0

// Runs the official conformance suite, and reads what it found.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { node, root } from '../lib/paths.mjs';

const entry = resolve(root,
  'tests/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js');

function run(args) {
  return new Promise((resolveRun, reject) => {
    const child = spawn(node, [entry, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (text) => { said += text; });
    child.stderr.on('data', (text) => { said += text; });
    child.on('error', reject);
    child.on('close', (code) => resolveRun({ code, said }));
  });
}

// The names of the server scenarios that a revision requires.
export async function requiredScenarios(revision) {
  const { said } = await run(['list', '--requirements', revision]);
  const part = said.split('Server scenarios')[1].split('Client scenarios')[0];
  return [...part.matchAll(/^ {2}- (\S+)$/gm)].map(([, name]) => name);
}

const isFailure = ({ status }) => status === 'FAILURE';

// The folder of a scenario is server-NAME-TIMESTAMP.
function readResults(folder) {
  const found = new Map();
  for (const one of readdirSync(folder)) {
    const name = /^(?:server-)?(.*?)-\d{4}-\d{2}-\d{2}T.*$/.exec(one)?.[1];
    if (name === undefined) continue;
    const file = join(folder, one, 'checks.json'); // not there: it broke off
    found.set(name, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
  }
  return found;
}

const why = (checks) => checks.filter(isFailure)
  .map(({ id, errorMessage }) => `${id}: ${errorMessage}`).join('; ');

// Runs scenarios of the suite against a server. Answers, by scenario, with all
// checks; and with what passed and what failed, and why.
export async function conformance(url, args) {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-conformance-'));
  try {
    const { code, said } = await run(['server', '--url', url, '-o', folder, ...args]);
    const scenarios = readResults(folder);
    const passed = [];
    const failed = {};
    for (const [name, checks] of scenarios) {
      if (checks.length > 0 && !checks.some(isFailure)) passed.push(name);
      else failed[name] = why(checks) || 'it checked nothing';
    }
    return { code, said, scenarios, passed: passed.sort(), failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
