// SPDX-License-Identifier: Apache-2.0

// `cordon wrap` in a terminal: a person at a shell.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { users } from '../lib/box.mjs';
import { cordon } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';

const inTerminal = join(import.meta.dirname, 'in-terminal.py');
const sessions = [];
after(() => sessions.forEach((session) => session.child.kill('SIGKILL')));

// A terminal with a program in it. `see` waits for what it shows from the last
// thing seen on; `type` types.
function terminal(user, ...words) {
  const child = spawn('/usr/bin/python3', [inTerminal, ...words], { ...users[user], cwd: '/',
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TERM: 'dumb', PS1: '$ ' } });
  let shown = '', at = 0;
  child.stdout.on('data', (bytes) => { shown += bytes; });
  const session = {
    child,
    shown: () => shown,
    type: (text) => child.stdin.write(text),
    async see(pattern) {
      const found = await until(`${pattern} in ${JSON.stringify(shown.slice(at))}`, () =>
        pattern.exec(shown.slice(at)), 15_000).catch((error) => {
        throw new Error(`${error.message}; shown: ${JSON.stringify(shown.slice(at))}`);
      });
      at += found.index + found[0].length;
      return found;
    },
    ended: new Promise((resolve) => child.on('close', (code) => resolve(code))),
  };
  sessions.push(session);
  return session;
}

const shell = (user) => terminal(user, '/bin/bash', '--norc', '--noediting', '-i');

// Pushes a character into the terminal, as if it had been typed.
const push = `use strict; my $c = "!"; my $r = ioctl(STDIN, 0x5412, $c);
print $r ? "pushed\\n" : "refused: " . ($! + 0) . "\\n";`;

for (const user of Object.keys(users)) {
  describe(`in a terminal, as ${user}`, () => {
    test('a program sees it, and its size', async () => {
      const one = terminal(user, cordon, 'wrap', '--', 'sh', '-c',
        'test -t 0 && test -t 1 && test -t 2 && stty size && read line && echo "<$line>"; exit 5');
      await one.see(/\d+ \d+\r\n/);
      one.type('a word\n');
      await one.see(/<a word>/);
      assert.equal(await one.ended, 5);
    });

    test('^C ends what it would end', async () => {
      const one = shell(user);
      await one.see(/\$ /);
      one.type(`${cordon} wrap -- sh -c 'echo rea""dy; sleep 1000'\n`);
      await one.see(/ready/);
      one.type('\x03');
      await one.see(/\$ /);
      one.type('echo code=$((0+$?))\n');
      await one.see(/code=130/);
      one.type('exit\n');
      await one.ended;
    });

    test('^C reaches a program that handles it, once', async () => {
      const one = terminal(user, cordon, 'wrap', '--', 'bash', '-c',
        'trap "echo int; n=$((n+1))" INT; trap "exit $((n+20))" USR1; n=0; echo rea""dy; ' +
        'while ((n == 0)); do sleep 0.05; done; sleep 0.2; exit $((n + 20))');
      await one.see(/ready/);
      one.type('\x03');
      assert.equal(await one.ended, 21);
    });

    test('^Z stops it, fg goes on', async () => {
      const one = shell(user);
      await one.see(/\$ /);
      one.type(`${cordon} wrap -- sh -c 'echo rea""dy; read line; echo "<$line>"; exit 6'\n`);
      await one.see(/ready/);
      one.type('\x1a');
      await one.see(/Stopped/);
      one.type('fg\n');
      await one.see(/cordon/);
      one.type('hello\n');
      await one.see(/<hello>/);
      one.type('echo code=$((0+$?))\n');
      await one.see(/code=6/);
      one.type('exit\n');
      await one.ended;
    });

    test('a program that stops itself gives the shell back', async () => {
      const one = shell(user);
      await one.see(/\$ /);
      one.type(`${cordon} wrap -- sh -c 'kill -TSTP $$; echo a""gain; exit 8'\n`);
      await one.see(/Stopped/);
      one.type('fg\n');
      await one.see(/again/);
      one.type('echo code=$((0+$?))\n');
      await one.see(/code=8/);
      one.type('exit\n');
      await one.ended;
    });

    test('a program that ignores ^Z is not stopped, as without a box', async () => {
      const one = terminal(user, cordon, 'wrap', '--', 'sh', '-c',
        'trap "" TSTP; echo rea""dy; read line; echo "<$line>"; exit 7');
      await one.see(/ready/);
      one.type('\x1a');
      one.type('on\n');
      await one.see(/<on>/);
      assert.equal(await one.ended, 7);
    });

    test('a shell inside has its own jobs', async () => {
      const one = shell(user);
      await one.see(/\$ /);
      one.type(`${cordon} wrap --env PS1='box> ' -- bash --norc --noediting -i\n`);
      await one.see(/box> /);
      one.type('sh -c \'echo start""ed; sleep 1000\'\n');
      await one.see(/started/);
      one.type('\x1a');
      await one.see(/Stopped/);
      one.type('exit\nexit 3\n');
      await one.see(/\$ /);
      one.type('echo code=$((0+$?))\n');
      await one.see(/code=3/);
      one.type('exit\n');
      await one.ended;
    });

    test('its modes are as before, whatever the program did', async () => {
      const one = shell(user);
      await one.see(/\$ /);
      one.type(`${cordon} wrap -- stty -echo -icanon intr ^K; stty -a\n`);
      const [, modes] = await one.see(/speed([\s\S]*?)\$ $/);
      assert.match(modes, /intr = \^C/);
      assert.match(modes, / icanon/);
      assert.match(modes, / echo /);
      one.type('exit\n');
      await one.ended;
    });

    test('nothing can be typed into it', async () => {
      const one = terminal(user, cordon, 'wrap', '--', 'perl', '-e', push);
      await one.see(/refused: \d+/);
      await one.ended;
    });
  });
}

test('without a box, root can type into a terminal', { skip: process.getuid() !== 0 }, async () => {
  const one = terminal('root', 'perl', '-e', push);
  await one.see(/pushed/);
  await one.ended;
});
