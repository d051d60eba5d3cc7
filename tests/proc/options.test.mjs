// SPDX-License-Identifier: Apache-2.0

// What a command takes, as its help says it, is what its manual page and both
// completions say: no option is missing there, and none is there alone.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cordon, root } from '../lib/paths.mjs';

const help = (...words) => spawnSync(cordon, [...words, '--help'],
  { encoding: 'utf8' }).stdout;
const file = (...parts) => readFileSync(join(root, ...parts), 'utf8');

const commands = [...help().matchAll(/^ {2}([a-z]+) {2,}\S/gm)]
  .map(([, name]) => name).filter((name) => !['version', 'help'].includes(name));

const letters = new Map(); // of the options that have one

// --options of a command, and of those that it is made of.
function optionsOf(...words) {
  const text = help(...words);
  const inner = /^Usage: cordon [a-z]+ COMMAND/.test(text)
    ? [...text.matchAll(/^ {2}([a-z]+)(?: |$)/gm)]
      .flatMap(([, verb]) => optionsOf(...words, verb)) : [];
  const own = [...text.matchAll(/^ +(?:-(\w), +)?--([a-z-]+)/gm)].map(([, letter, name]) => {
    if (letter) letters.set(name, letter);
    return name;
  });
  return [...new Set([...own, ...inner])].filter((name) => name !== 'help').sort();
}

// "Fl Fl name", "Fl -name", and "Fl Fl one , two , three".
// Their letters stand alone.
const inPage = (text) => new Set([...text.matchAll(
  /Fl (?:Fl |-)?([a-z]+(?:-[a-z]+)*(?: , [a-z]+(?:-[a-z]+)*)*)/g)]
  .flatMap(([, names]) => names.split(' , ')));

const inBash = (command) => spawnSync('bash', ['-c', `
  . "$1"
  COMP_WORDS=(cordon "$2" --) COMP_CWORD=2
  _cordon; printf '%s\\n' "\${COMPREPLY[@]}"`, '-',
join(root, 'completions/cordon.bash'), command], { encoding: 'utf8' }).stdout
  .split('\n').filter((word) => word.startsWith('--')).map((word) => word.slice(2));

// The lists of options that others include, and each command's own part.
const zsh = file('completions/_cordon');
const lists = new Map([...zsh.matchAll(/^local -a (\w+)=\(([\s\S]*?)\)$/gm)]
  .map(([, name, text]) => [name, text]));
const spelled = (text) => [...text.matchAll(/\$(\w+)/g)]
  .flatMap(([, name]) => lists.has(name) ? spelled(lists.get(name)) : [])
  .concat([...text.matchAll(/--([a-z-]+)(?=[[,}])/g)].map(([, name]) => name));
const inZsh = (command) => {
  const part = zsh.match(new RegExp(`^(?:[a-z|]+\\|)?${command}(?:\\|[a-z|]+)?\\)\n([\\s\\S]*?)^ {2};;`, 'm'));
  return [...new Set(spelled(part?.[1] ?? ''))];
};

test('the help names the commands', () => {
  assert.ok(commands.includes('wrap') && commands.includes('upstream'), commands.join());
});

const page = (command) => ['cordon-' + command, 'cordon']
  .map((name) => join('man', `${name}.1`)).find((path) => existsSync(join(root, path)));
const common = inPage(file('man/cordon.1'));

for (const command of commands) {
  describe(`cordon ${command}`, () => {
    const options = optionsOf(command);

    test('the page has every option, and no other', () => {
      const told = inPage(file(page(command)));
      assert.deepEqual(options.filter((name) =>
        ![name, letters.get(name)].some((one) => told.has(one) || common.has(one))), []);
      if (page(command) === 'man/cordon.1') return;
      // Of another command, a page may speak.
      const known = new Set(commands.flatMap((name) => optionsOf(name)));
      assert.deepEqual([...told].filter((name) => name.length > 1 && !known.has(name) &&
        name !== 'help'), []);
    });

    test('bash completes every option, and no other', () => {
      const told = inBash(command).filter((name) => name !== 'help').sort();
      assert.deepEqual(told, options);
    });

    test('zsh completes every option, and no other', () => {
      const told = inZsh(command).filter((name) => name !== 'help').sort();
      assert.deepEqual(told, options);
    });
  });
}
