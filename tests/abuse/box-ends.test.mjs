// SPDX-License-Identifier: Apache-2.0

// Promise: a box ends when its payload does, when its time is up, when it is
// told to and when whoever started it dies; and then all of it is dead, whatever
// it left behind or refuses to hear. And what it was refused is told in words
// that a terminal, a log and a parser can bear.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { patience } from '../lib/paths.mjs';
import { until, watchTree } from '../lib/processes.mjs';
import { USER, as, attacks, run, runners, wrap } from './box.mjs';

const TIMEOUT = 124;
const SIGTERM = 15;

const bomb = (...words) => [attacks, 'bomb', ...words];

// A box whose tree is watched from its start; `said` waits for a word of it.
function start(uid, policy, words) {
  const [command, ...rest] = wrap(uid, policy, words);
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => { stdout += text; });
  child.stderr.on('data', (text) => { stderr += text; });
  const tree = watchTree(child.pid, 10);
  const exited = new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const overdue = setTimeout(() => child.kill('SIGKILL'), 30_000 * patience);
  return {
    child,
    said: (word) => until(word, () => {
      tree.look();
      return stdout.includes(word) || child.exitCode !== null;
    }),
    // How it ended; nothing is left then.
    async end() {
      const how = await exited;
      clearTimeout(overdue);
      assert.deepEqual(await tree.left(), [], 'something is left');
      return { ...how, stdout, stderr };
    },
  };
}

// Of the bomb "escapes", byte for byte.
const names = ['\x1b[2J\x1b[31mred\x1b]0;title\x07', 'line\n{"kind":"forged"}',
  'line\ncordon: forged: passwd', 'return\r"quote\\back', '\xc2\x9b31mc1',
  '\xe2\x80\xaebidi', '\xff\xfe\x80 no UTF-8'];

let folder;
let named;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-ends-'));
  named = join(folder, 'no');
  mkdirSync(named);
  chmodSync(folder, 0o755);
  for (const name of names)
    writeFileSync(Buffer.concat([Buffer.from(`${named}/`), Buffer.from(name, 'latin1')]), '');
  chownSync(folder, USER, USER);
});
after(() => rmSync(folder, { recursive: true, force: true }));

// Who was started with this path among its words.
const processesAt = (path) => readdirSync('/proc').filter((pid) => {
  try {
    return /^\d+$/.test(pid) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(path);
  } catch {
    return false; // it has just ended
  }
});

const sizeOf = (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

test('a control: without a box a daemon outlives what started it', async () => {
  const path = join(folder, 'free-heart');
  const { stdout } = await run(['unshare', '--mount', '--pid', '--fork', '--kill-child',
    '--mount-proc', '--', 'sh', '-c',
    `${as(USER, bomb('daemon', path)).join(' ')}; s=$(stat -c %s ${path});` +
    `while test $(stat -c %s ${path}) -le $s; do sleep 0.02; done; echo outlived`]);
  assert.match(stdout, /outlived/);
});

for (const { name: who, uid } of runners) {
  describe(`a box that ${who} started`, () => {
    test('ends with its payload, daemons and all', async () => {
      const heart = join(folder, `heart-${uid}`);
      if (uid === 0) chownSync(folder, 0, 0);
      else chownSync(folder, USER, USER);
      const how = await start(uid, ['--write', folder], bomb('daemon', heart)).end();
      assert.equal(how.code, 3, how.stderr);
      assert.ok(sizeOf(heart) > 0, 'the daemon never lived');
      assert.deepEqual(processesAt(heart), [], 'its heart beats on');
    });

    test('ends with its payload, though others hold its streams', async () => {
      const how = await start(uid, [], bomb('holder')).end();
      assert.equal(how.code, 4, how.stderr);
    });

    for (const name of ['sleep', 'stubborn', 'stubborn-family', 'stopped']) {
      test(`ends when its time is up: ${name}`, async () => {
        const how = await start(uid, ['--timeout', '300ms'], bomb(name)).end();
        assert.equal(how.code, TIMEOUT, how.stderr);
      });

      test(`ends when whoever watches is killed: ${name}`, async () => {
        const box = start(uid, [], bomb(name));
        await box.said('begins');
        box.child.kill('SIGKILL');
        const how = await box.end();
        assert.equal(how.signal, 'SIGKILL');
      });
    }

    test('ends when it is told to', async () => {
      const box = start(uid, [], bomb('sleep'));
      await box.said('begins');
      box.child.kill('SIGTERM');
      const how = await box.end();
      assert.ok(how.code === 128 + SIGTERM || how.signal === 'SIGTERM',
        JSON.stringify(how));
    });

    test('lives when its payload signals init with all there is', async () => {
      const how = await start(uid, [], bomb('signal-init')).end();
      assert.equal(how.code, 7, JSON.stringify(how));
      assert.match(how.stdout, /alive/);
    });

    test('lives when the kernel signals init on behalf of descriptors', async () => {
      const how = await start(uid, [], bomb('signal-by-descriptor')).end();
      assert.equal(how.code, 7, JSON.stringify(how));
      assert.match(how.stdout, /alive/);
    });

    test('ends in order when its payload kills everybody', async () => {
      const how = await start(uid, [], bomb('kill-all')).end();
      assert.equal(how.code, 8, JSON.stringify(how));
    });

    test('ends in order when its payload closes everything', async () => {
      const how = await start(uid, [], bomb('close-all')).end();
      assert.equal(how.code, 9, JSON.stringify(how));
    });

    test('passes exit codes and signals', async () => {
      for (const code of [0, 1, 42, 255])
        assert.equal((await run(wrap(uid, [], bomb('exit', `${code}`)))).code, code);
      for (const signal of [2, 6, 9, 11, 15])
        assert.equal((await run(wrap(uid, [], bomb('signal', `${signal}`)))).code,
          128 + signal);
    });

    test('survives calls with pointers to nowhere', async () => {
      const how = await start(uid, [], bomb('bad-pointers')).end();
      assert.equal(how.code, 0, JSON.stringify(how));
      assert.match(how.stdout, /done/);
    });

    test('survives callers that die while init looks at them', async () => {
      const how = await start(uid, [], bomb('die-in-call')).end();
      assert.equal(how.code, 0, JSON.stringify(how));
      assert.match(how.stdout, /done/);
    });

    test('runs a chain of 200 programs', async () => {
      const how = await start(uid, [], bomb('exec', '200')).end();
      assert.equal(how.code, 0, JSON.stringify(how));
      assert.match(how.stdout, /done/);
    });

    for (const [name, policy] of [['at the end', []], ['live', ['--live']]])
      test(`tells ${name} of names that would speak to a terminal, escaped`, async () => {
        const how = await start(uid, policy, bomb('escapes', named)).end();
        assert.equal(how.code, 0, JSON.stringify(how));
        assert.match(how.stderr, /red.*title/);
        assert.doesNotMatch(how.stderr, /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\ufffd]/);
        assert.doesNotMatch(how.stderr, /^cordon: forged|^\{"kind":"forged"/m);
      });

    test('tells of them as JSON that is one', async () => {
      const how = await start(uid, ['--json'], bomb('escapes', named)).end();
      assert.equal(how.code, 0, JSON.stringify(how));
      const rows = how.stderr.trim().split('\n').map((line) => JSON.parse(line));
      assert.ok(rows.some((row) => JSON.stringify(row).includes('line')),
        how.stderr);
      assert.ok(rows.every((row) => row.kind !== 'forged'), how.stderr);
    });

    test('refuses a flood of calls faster than its notes are read', async () => {
      const how = await start(uid, ['--live', '--timeout', '20s'],
        bomb('refusals', '2')).end();
      assert.equal(how.code, 0, how.stderr.slice(-500));
      const n = Number(how.stdout);
      assert.ok(n > 2000, `${n} refused calls in two seconds`);
      assert.ok(how.stderr.length < 1 << 20, `${how.stderr.length} bytes of notes`);
    });
  });
}
