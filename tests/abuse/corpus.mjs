// SPDX-License-Identifier: Apache-2.0

// A corpus is a folder of hostile tools. The first lines of each file say what
// it tries, how the host must end it, and how the same attack fares in plain
// Node.js, where no wall is:
//
//     // What it does.
//     // expect: timeout|exception     codes allowed; "ok" for an answer
//     // says: REGEXP                  the error must match
//     // line: 7                       the error names this line of the file
//     // result: JSON                  the answer, exactly
//     // text: REGEXP                  the answer's own text matches
//     // not: REGEXP                   nothing of the report matches
//     // bytes: 65536                  the whole report is no longer
//     // args: --timeout 1s            more words for cordon run
//     // input: JSON                   the tool's input
//     // control: stays                it never ends there
//     //          grows                it takes memory without an end there
//     //          returns REGEXP       it gets what it wants there
//     //          throws REGEXP        the attack is real: it throws there
//     //          none: WHY            no control, and why

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { node, patience, root } from '../lib/paths.mjs';
import { cordonRun, exitCodes } from '../lib/run.mjs';

const folder = resolve(root, 'tests/abuse');
const knownDirectives = new Set(['expect', 'says', 'line', 'result', 'text',
  'not', 'bytes', 'args', 'input', 'control']);

const MIB = 1 << 20;

// For the quick round of ./check --fast.
const withoutControls = process.env.CORDON_TEST_CONTROLS === '0';

// What a process may be larger than its limit: the engine itself, its stacks
// and tables.
const OVERHEAD_BYTES = 96 * MIB;

function readCase(group, file, defaults) {
  const path = resolve(folder, group, file);
  const said = { ...defaults };
  const [purpose, ...lines] = readFileSync(path, 'utf8').split('\n');
  for (const line of lines) {
    const directive = /^\/\/ ([a-z]+): (.*)$/.exec(line);
    if (directive === null) break;
    const [, name, value] = directive;
    assert.ok(knownDirectives.has(name), `${path}: unknown "${name}:"`);
    said[name] = value;
  }
  assert.ok(said.expect, `${path}: says nothing of what to expect`);
  assert.ok(said.control, `${path}: has no positive control`);
  const codes = said.expect.split('|');
  for (const code of codes) {
    assert.ok(code in exitCodes, `${path}: "${code}" is no code`);
  }
  return { ...said, path, codes, name: file.replace(/\.js$/, ''),
    purpose: purpose.replace(/^\/\/ */, '') };
}

function casesOf(group, defaults) {
  const files = readdirSync(resolve(folder, group)).sort();
  return files.map((file) => readCase(group, file, defaults));
}

const words = (text) => text?.split(/\s+/).filter(Boolean) ?? [];

function shorten(text) {
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}

function checkEnd(one, run) {
  const { report } = run;
  const told = shorten(run.stdout) + shorten(run.stderr);
  assert.equal(run.overdue, false, `took over ${run.tookMs} ms: ${told}`);
  assert.ok(report, `no JSON object on stdout: ${told}`);
  const code = report.ok ? 'ok' : report.error?.code;
  assert.ok(one.codes.includes(code),
    `ended with "${code}" where ${one.expect} was due: ${told}`);
  assert.equal(run.exitCode, exitCodes[code], `exit code: ${told}`);
  assert.equal(typeof report.usage?.cpu_ms, 'number', told);
  assert.ok(Array.isArray(report.logs), told);
  if (!report.ok) assert.equal(typeof report.error.message, 'string', told);
}

function checkWords(one, run) {
  const { report } = run;
  const told = shorten(run.stdout);
  const error = JSON.stringify(report.error ?? {});
  if (one.says && !report.ok) assert.match(error, new RegExp(one.says, 'i'));
  if (one.line) assert.equal(report.error.line, Number(one.line), told);
  if (one.result && report.ok) {
    assert.deepEqual(report.result, JSON.parse(one.result), told);
  }
  if (one.text) assert.match(run.stdout, new RegExp(one.text), told);
  if (one.not) assert.doesNotMatch(run.stdout, new RegExp(one.not), told);
  if (one.bytes) {
    assert.ok(run.stdout.length <= Number(one.bytes),
      `a report of ${run.stdout.length} bytes`);
  }
}

function checkNothingLeft(run) {
  const left = run.left.map(({ pid, name, title }) => `${pid} ${name} ${title}`);
  assert.deepEqual(left, [], 'processes were left behind');
}

function memoryLimit(one) {
  const given = /--memory (\d+)(MiB|GiB)/.exec(one.args ?? '');
  if (given === null) return 128 * MIB;
  return Number(given[1]) * (given[2] === 'GiB' ? 1024 * MIB : MIB);
}

function checkSize(one, run) {
  const most = memoryLimit(one) + OVERHEAD_BYTES;
  assert.ok(run.peakRssBytes <= most,
    `a process grew to ${Math.round(run.peakRssBytes / MIB)} MiB`);
}

async function attack(one, { withinMs, sized }) {
  const run = await cordonRun(one.path, {
    args: words(one.args), input: one.input, withinMs: withinMs * patience,
  });
  checkEnd(one, run);
  checkWords(one, run);
  checkNothingLeft(run);
  if (sized && patience === 1) checkSize(one, run);
  return run;
}

// The control's process: bounded by prlimit, killed by whoever asked for it.
class Control {
  constructor(one) {
    const bounds = ['--data=4294967296', '--cpu=60', '--core=0', '--'];
    const script = resolve(folder, 'control.mjs');
    this.child = spawn('prlimit', [...bounds, node, script, one.path,
      ...(one.input ? [one.input] : [])],
    { stdio: ['ignore', 'pipe', 'ignore'] });
    this.text = '';
    this.child.stdout.on('data', (chunk) => {
      if (this.text.length < 4096) this.text += chunk;
    });
    this.ended = new Promise((done) => this.child.on('close', done));
  }

  get isAlive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async started() {
    while (this.isAlive && this.text === '') await sleep(5);
  }

  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const kib = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
    return { rss: kib('VmRSS') / 1024, data: kib('VmData') / 1024 };
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

const controls = {
  async stays(control) {
    await control.started();
    await sleep(400);
    assert.ok(control.isAlive, 'it ended by itself without any wall');
  },

  async grows(control) {
    await control.started();
    const first = control.memory();
    const end = Date.now() + 90_000;
    for (;;) {
      assert.ok(control.isAlive, 'it ended by itself without any wall');
      const { rss, data } = control.memory();
      if (rss > 288 || data - first.data > 288) return;
      assert.ok(Date.now() < end, `it only grew to ${rss} MiB`);
      await sleep(10);
    }
  },

  async returns(control, pattern) {
    await control.ended;
    assert.match(control.text, /"ok":true/);
    assert.match(control.text, new RegExp(pattern));
  },

  async throws(control, pattern) {
    await control.ended;
    assert.match(control.text, /"ok":false/);
    assert.match(control.text, new RegExp(pattern));
  },
};

async function succeedWithoutWalls(one) {
  const [, kind, pattern] = /^(\w+):? ?(.*)$/.exec(one.control);
  assert.ok(kind in controls, `${one.path}: no control "${kind}"`);
  const control = new Control(one);
  try {
    await controls[kind](control, pattern);
  } finally {
    await control.kill();
  }
}

// Declares two tests for each tool of the group: that the host ends it as its
// file says, and that it succeeds where the host is not.
export function corpus(group, options = {}) {
  const { defaults = {}, withinMs = 20_000, sized = false, also } = options;
  const all = casesOf(group, defaults);
  describe(`abuse: ${group}`, { concurrency: 2 }, () => {
    for (const one of all) {
      test(`${one.name}: ${one.purpose}`, async () => {
        const run = await attack(one, { withinMs, sized });
        also?.(one, run);
      });
      if (one.control.startsWith('none:') || withoutControls) continue;
      test(`control of ${one.name}: it works without walls`,
        () => succeedWithoutWalls(one));
    }
  });
}
