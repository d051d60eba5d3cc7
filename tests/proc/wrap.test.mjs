// SPDX-License-Identifier: Apache-2.0

// `cordon wrap` around real programs: what a caller may rely on, whoever he is.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { start as startBox, users, wrap } from '../lib/box.mjs';
import { build, cordon, patience } from '../lib/paths.mjs';
import { until, watchTree } from '../lib/processes.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cordon-wrap-'));
chmodSync(folder, 0o777);
const secret = join(folder, 'secret');
writeFileSync(secret, 'a secret\n', { mode: 0o644 });
const children = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(...words) {
  children.push(startBox(...words));
  return children.at(-1);
}

const groupsOf = (pid) => spawnSync('find', ['/sys/fs/cgroup', '-name', `cordon.${pid}*`],
  { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);

const sh = (script, ...options) => [...options, '--', 'sh', '-c', script];
const said = (child, text) =>
  until(text, () => child.heard.stdout.includes(text));
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

// What the three findings on egress come to.
function reachable({ findings }) {
  const states = ['egress', 'egress names', 'egress roots']
    .map((wanted) => findings.find(({ name }) => name === wanted)?.state);
  assert.ok(states.every((state) => ['ok', 'weaker', 'missing'].includes(state)), states.join());
  return !states.includes('missing');
}

for (const user of Object.keys(users)) {
  const run = (words, more) => wrap(user, words, more);

  test(`/dev/stdout and /dev/stderr open again, as ${user}`, () => {
    // Through pipes of a shell: Node.js's own are sockets, which never do.
    const { stdout } = spawnSync('sh', ['-c', `{ "$0" wrap -- sh -c \
      'echo out > /dev/stdout; echo err > /dev/stderr'; } 2>&1 | cat`, cordon],
    { ...users[user], encoding: 'utf8', cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent' } });
    assert.match(stdout, /^out\nerr\n/);
  });

  test(`what nohup had us ignore is ignored inside, as ${user}`, () => {
    const mask = (words) => spawnSync('sh', ['-c', `trap '' ${words[0]};
      exec "$0" wrap -- grep SigIgn /proc/self/status`, cordon], {
      ...users[user], encoding: 'utf8', cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent' },
    }).stdout.trim();
    assert.match(mask(['HUP']), /0{15}1$/);
    assert.match(mask(['USR1']), /0{16}$/, 'others are as at birth');
  });

  describe(`the exit code, as ${user}`, () => {
    for (const [name, words, code] of [
      ['of a program', sh('exit 7'), 7],
      ['of a program that succeeds', ['--', 'true'], 0],
      ['without "--"', ['sh', '-c', 'exit 3'], 3],
      ['of a signal', sh('kill -SEGV $$'), 139],
      ['of SIGKILL', sh('kill -KILL $$'), 137],
      // Without a limit of memory: a sanitizer's own code runs last in these.
      ['of a program that is not there', ['--memory', '0', '--', 'no-such-program'], 127],
      ['of a file that is no program', ['--memory', '0', '--', '/etc/os-release'], 126],
      ['of the time limit', ['--timeout', '100ms', '--', 'sleep', '1000'], 124],
      ['of a deaf program at the time limit',
        sh('trap "" TERM; while :; do sleep 1; done', '--timeout', '100ms'), 124],
      ['of a wrong option', ['--nope', '--', 'true'], 2],
      ['of a profile that is none', ['--profile', 'cobol', '--', 'true'], 2],
      ['of no command', ['--'], 2],
    ]) {
      test(name, () => assert.equal(run(words).code, code));
    }

    test('of a grant that is not there', () => {
      const { code, stderr } = run(['--read', join(folder, 'nowhere'), '--', 'true']);
      assert.ok([2, 125].includes(code), `${code}`);
      assert.match(stderr, /nowhere/);
    });
  });

  describe(`streams, as ${user}`, () => {
    test('64 MiB go in and come out as they are', async () => {
      const bytes = randomBytes(64 << 20);
      const child = start(user, ['--', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
      const hash = createHash('sha256');
      child.stdout.removeAllListeners('data');
      child.stdout.on('data', (part) => hash.update(part));
      child.stdin.end(bytes);
      assert.deepEqual(await child.ended, { code: 0, signal: null });
      assert.equal(hash.digest('hex'), digest(bytes));
    });

    test('standard error is the program\'s alone where nothing is refused', () => {
      const { stdout, stderr, code } = run(sh('printf "a\\0b\\n" >&2; printf "\\377" | wc -c'));
      assert.deepEqual([stdout, stderr, code], ['1\n', 'a\0b\n', 0]);
    });

    test('a reader that leaves ends the writer, as without a box', () => {
      const { stdout } = spawnSync('bash', ['-c', `${cordon} wrap -- yes | head -1; echo "\${PIPESTATUS[0]}"`],
        { ...users[user], cwd: '/', encoding: 'utf8' });
      assert.equal(stdout, 'y\n141\n');
    });

    test('no descriptor but 0, 1, 2 is there', () => {
      // ls opens one to read the folder.
      const { stdout } = run(['--', 'ls', '/proc/self/fd'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] });
      assert.deepEqual(stdout.trim().split('\n'), ['0', '1', '2', '3']);
    });

    test('closed ones stay harmless', () => {
      const { code, stderr } = run(sh('exit 0'), { stdio: ['ignore', 'ignore', 'pipe'] });
      assert.deepEqual([code, stderr], [0, '']);
    });
  });

  describe(`signals, as ${user}`, () => {
    for (const name of ['TERM', 'INT', 'HUP', 'USR1', 'WINCH', 'CONT']) {
      test(`SIG${name} is handed on`, async () => {
        const child = start(user, sh(
          `trap 'echo heard; exit 9' ${name}; echo ready; while :; do sleep 0.02; done`));
        await said(child, 'ready');
        child.kill(`SIG${name}`);
        assert.deepEqual(await child.ended, { code: 9, signal: null });
        assert.match(child.heard.stdout, /heard/);
      });
    }

    test('one that nobody handles ends the program', async () => {
      const child = start(user, sh('echo ready; exec sleep 1000'));
      await said(child, 'ready');
      child.kill('SIGTERM');
      assert.deepEqual(await child.ended, { code: 143, signal: null });
    });

    test('the caller\'s end is the box\'s', async () => {
      const child = start(user, sh(
        'trap "" TERM HUP; (setsid sleep 1000 &) ; sleep 1000 & echo ready; wait'));
      await said(child, 'ready');
      const tree = watchTree(child.pid);
      assert.ok(tree.seen().length >= 4, 'wrap, init, sh, sleep');
      child.kill('SIGKILL');
      await child.ended;
      assert.deepEqual(await tree.left(10_000), []);
      // Its control groups go with the next box that lives for a while.
      const next = start(user, ['--', 'cat']);
      await until('no group of it', () => groupsOf(child.pid).length === 0);
      next.stdin.end();
      await next.ended;
      assert.deepEqual(groupsOf(next.pid), []);
    });

    test('what a program leaves behind ends with it', async () => {
      const child = start(user, sh('setsid sleep 1000 & echo ready; read line; exit 4'));
      await said(child, 'ready');
      const tree = watchTree(child.pid);
      child.stdin.end('\n');
      assert.deepEqual(await child.ended, { code: 4, signal: null });
      assert.deepEqual(await tree.left(5000), []);
    });
  });

  describe(`what was refused, as ${user}`, () => {
    test('is told at the end, with the option that grants it', () => {
      const { stderr, stdout, code } = run(['--', 'cat', secret, secret]);
      assert.equal(stdout, '');
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(
        `cordon wrap: the box refused\\n +read +${secret}\\n` +
        ` +granted by --read ${secret}\\n`));
      assert.equal(run(['--read', secret, '--', 'cat', secret]).stdout, 'a secret\n');
    });

    test('is told as JSON, an object a line', () => {
      const { stderr } = run(['--json', '--', 'cat', secret], { cwd: '/usr' });
      const notes = stderr.split('\n').filter((line) => line.startsWith('{')).map(JSON.parse);
      assert.deepEqual(notes.filter(({ kind }) => kind === 'file'), [{ kind: 'file',
        verb: 'read', path: secret, count: 1, grant: ['--read', secret] }]);
    });

    test('is told as it happens', async () => {
      const child = start(user, sh(`cat ${secret}; read line`, '--live'));
      await until('a note', () => child.heard.stderr.includes(`refused: read    ${secret}\n`));
      child.stdin.end('\n');
      await child.ended;
      assert.equal(child.heard.stderr.split(`refused: read    ${secret}`).length, 2);
    });

    test('is not told where it was not asked for', () => {
      const { stderr } = run(['--denials', 'none', '--', 'cat', secret], { cwd: '/usr' });
      assert.match(stderr, /^cat: [^\n]*\n$/);
    });

    test('files that nobody has are no refusal', () => {
      const { stderr } = run(sh('cat /nowhere/at/all 2> /dev/null; exit 0'));
      assert.equal(stderr, '');
    });

    test('a name of it moves no cursor', () => {
      const name = join(folder, 'a\x1b[2Jb\nc');
      writeFileSync(name, '', { mode: 0o644 });
      const { stderr } = run(sh('cat "$NAME" 2> /dev/null; exit 0', '--env', `NAME=${name}`));
      assert.ok(!stderr.includes('\x1b'), JSON.stringify(stderr));
      assert.match(stderr, /a\\x1b\[2Jb\\x0ac/);
    });

    test('a connection is told, and why there is none', () => {
      const { stderr } = run(['--', 'bash', '-c',
        'exec 2> /dev/null 3<> /dev/tcp/192.0.2.1/80; exit 0']);
      assert.match(stderr, /net +connect .*192\.0\.2\.1:80\n/);
      assert.match(stderr, /this box has no network/);
    });

    test('a system call is told', () => {
      const { stderr } = run(['--', 'perl', '-e', 'syscall(165, 0, 0, 0, 0, 0)']);
      assert.match(stderr, /call +mount/);
    });
  });

  describe(`its folder, as ${user}`, () => {
    const work = join(folder, `work-${user.replace(' ', '-')}`);
    mkdirSync(work);
    chmodSync(work, 0o777);

    test('is the current one where that is granted', () => {
      const { stdout, code } = run(sh('pwd; echo > new', '--write', '.'), { cwd: work });
      assert.deepEqual([stdout, code], [`${work}\n`, 0]);
      assert.deepEqual(readdirSync(work), ['new']);
    });

    test('else it is the home, which is told when it fails', () => {
      const { stdout, stderr } = run(sh('pwd; exit 1'), { cwd: work, env: { HOME: '/home/somebody' } });
      assert.equal(stdout, '/home/somebody\n');
      assert.ok(stderr.includes(`did not see ${work}`), stderr);
      assert.equal(run(sh('exit 0'), { cwd: work }).stderr, '');
    });

    test('a home is never said to be granted as a whole', () => {
      const at = (home) => run(sh('exit 1'), { cwd: work, env: { HOME: home } }).stderr;
      assert.match(at(work), /private and empty/);
      assert.doesNotMatch(at(work), /--read \./);
      assert.equal(at(join(work, 'me')), '');
    });
  });

  describe(`limits, as ${user}`, () => {
    test('a fork bomb ends by itself', () => {
      const { code, stdout } = run(['--pids', '32', '--timeout', '20s', '--', 'perl', '-e',
        'for (1..100) { $p = fork; if (!defined $p) { print "refused\\n"; exit 5 } sleep 1000 unless $p }']);
      assert.deepEqual([code, stdout], [5, 'refused\n']);
    });

    test('memory ends the program alone', () => {
      const { code } = run(['--memory', '64MiB', '--', 'perl', '-e', '$a = "x" x (256 << 20); sleep 1000']);
      assert.notEqual(code, 0);
    });

    test('a full /tmp is full', () => {
      const { stdout } = run(sh('head -c 64M /dev/zero > /tmp/x 2> /dev/null || echo full', '--tmp-size', '1MiB'));
      assert.equal(stdout, 'full\n');
    });
  });

  test(`what is granted below /var/tmp is there, as ${user}`, () => {
    const place = mkdtempSync('/var/tmp/cordon-wrap-');
    try {
      chmodSync(place, 0o755);
      writeFileSync(join(place, 'file'), 'there\n');
      const { code, stdout, stderr } = run(['--read', place, '--', 'cat', join(place, 'file')]);
      assert.deepEqual([code, stdout], [0, 'there\n'], stderr);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  // A sanitizer does not start in a box.
  test(`where no box can stand, nothing runs, and it is said why, as ${user}`, { skip: patience > 1 }, () => {
    // A box refuses namespaces, as many a container does.
    const inside = ['--read', build, '--', cordon];
    const { code, stdout, stderr } = run([...inside, 'wrap', '--', 'echo', 'it ran']);
    assert.deepEqual([code, stdout], [125, '']);
    assert.match(stderr, /cordon wrap: a user namespace cannot be made: .*seccomp=unconfined/);
    const report = JSON.parse(run([...inside, 'doctor', '--json']).stdout);
    assert.equal(report.boxes_ready, false);
    assert.match(report.findings.find(({ name }) => name === 'box walls').found, /user namespace/);
    // Nor has it a name server.
    assert.deepEqual([reachable(report), report.egress_ready], [false, false]);
  });

  test(`the doctor says whether what is granted is reached, as ${user}`, () => {
    const doctor = (...words) => spawnSync(cordon, ['doctor', ...words],
      { ...users[user], encoding: 'utf8', cwd: '/',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent' } });
    const { status, stdout } = doctor('--json');
    const report = JSON.parse(stdout);
    assert.equal(reachable(report), report.egress_ready);
    assert.equal(status, report.ready && report.boxes_ready ? 0 : 1);
    assert.match(doctor().stdout, report.egress_ready
      ? /^What is granted to them can be reached/m : /^MISSING {2}egress [^]*^Not all that is granted/m);
  });

  test(`explains, and starts nothing, as ${user}`, () => {
    const { stdout, code } = run(['--explain', '--write', folder, '--', 'touch', join(folder, 'made')]);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`write +${folder}\n`));
    assert.ok(!readdirSync(folder).includes('made'));
    const { policy, grants } = JSON.parse(run(['--explain', '--json', '--write', folder, '--', 'true']).stdout);
    assert.deepEqual(policy.filesystem, { allowWrite: [folder] });
    assert.ok(grants.some(({ path, access }) => path === folder && access === 'write'));
  });

  test(`200 boxes stand side by side, as ${user}`, async () => {
    const boxes = Array.from({ length: 200 }, () => start(user, ['--', 'cat'],
      { stdio: ['pipe', 'pipe', 'pipe'] }));
    for (const [i, box] of boxes.entries()) box.stdin.write(`box ${i}\n`);
    await until('all of them', () => boxes.every(({ heard }, i) => heard.stdout === `box ${i}\n`), 60_000);
    for (const box of boxes) box.stdin.end();
    for (const box of boxes) assert.deepEqual(await box.ended, { code: 0, signal: null });
    assert.ok(boxes.every(({ heard }) => heard.stderr === ''));
  });
}
