// SPDX-License-Identifier: Apache-2.0

// Packages resolved in a box (package-host.c), from a registry of our own that
// serves what a hostile one would. What a hostile package tries is shown to
// succeed without the box, where that can be shown.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync,
  readdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
  from 'node:test';
import { build, cordon } from '../lib/paths.mjs';
import { FakeRegistry } from './fake-registry.mjs';

const program = join(build, 'tests/proc/package-host');
const hello = "#!/usr/bin/env node\nconsole.log('hello', process.argv[2]);\n";

let registry;
let place; // a folder of each test's own
let kept; // where it keeps packages

before(async () => { registry = await new FakeRegistry().start(); });
after(() => registry.stop());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'cordon-packages-'));
  kept = join(place, 'packages');
  mkdirSync(join(place, 'home'));
  registry.token = null;
  registry.isSilent = false;
});
afterEach(() => {
  spawnSync('chmod', ['-R', 'u+w', place]);
  rmSync(place, { recursive: true, force: true });
});

// Nothing of whoever runs the tests: neither settings nor a cache.
function surroundings(more = {}) {
  const env = { PATH: process.env.PATH, HOME: join(place, 'home') };
  return { ...env, npm_config_registry: registry.url,
    npm_config_fetch_retries: '0', ...more };
}

// The registry answers from this process: nothing here may block it.
async function run(file, words, options = {}) {
  const child = spawn(file, words,
    { cwd: place, env: surroundings(), ...options,
      stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text) => { output[name] += text; });
  }
  const [status] = await once(child, 'close');
  return { status, ...output };
}

async function resolvePackage(command, flags = [], { env, folder } = {}) {
  const { status, stdout, stderr } = await run(program,
    [folder ?? kept, ...flags, '--', ...command],
    { env: surroundings(env) });
  if (status !== 0) return { status, sentence: stderr };
  const [json, ...words] = stdout.trimEnd().split('\n');
  const found = JSON.parse(json);
  return { status, stderr, run: words, ...found,
    path: join(folder ?? kept, found.digest) };
}

async function refuses(command, sentence, flags = [], options = {}) {
  const found = await resolvePackage(command, flags, options);
  assert.equal(found.status, 3, JSON.stringify(found));
  assert.match(found.sentence, sentence);
  // Nothing half done stays.
  const names = existsSync(kept) ? readdirSync(kept) : [];
  assert.deepEqual(names.filter((name) => name.startsWith('.staging')), []);
  return found;
}

function* filesBelow(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    yield path;
    if (lstatSync(path).isDirectory()) yield* filesBelow(path);
  }
}

describe('a package', () => {
  test('is resolved once, and runs without a registry', async () => {
    registry.publish({ name: 'lib', version: '1.0.0' }, { 'index.js': '' });
    registry.publish({ name: 'hello', version: '1.2.3',
      bin: './cli.js', dependencies: { lib: '^1.0.0' } },
    { 'cli.js': hello });
    const found = await resolvePackage(['npx', '-y', 'hello', 'you']);
    assert.equal(found.status, 0, found.sentence);
    assert.deepEqual(
      [found.name, found.version, found.packages, found.scriptsNotRun],
      ['hello', '1.2.3', 2, []]);
    assert.deepEqual(found.command,
      ['node', '${package}/node_modules/hello/cli.js', 'you']);

    const asked = registry.requests.length;
    const again = await resolvePackage(['npx', '-y', 'hello', 'you']);
    assert.equal(registry.requests.length, asked);
    assert.deepEqual(again.run, found.run);
    const { stdout } = await run(again.run[0], again.run.slice(1));
    assert.equal(stdout, 'hello you\n');
  });

  test('is read-only, and its files name no registry', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    const { path } = await resolvePackage(['npx', 'hello']);
    for (const file of [path, ...filesBelow(path)]) {
      const { mode } = lstatSync(file);
      if (lstatSync(file).isSymbolicLink()) continue;
      assert.equal(mode & 0o7222, 0, file);
      if (lstatSync(file).isFile()) {
        assert.ok(!readFileSync(file, 'utf8').includes(registry.host), file);
      }
    }
    const lock = JSON.parse(readFileSync(join(path, 'package-lock.json')));
    assert.match(lock.packages['node_modules/hello'].integrity, /^sha512-/);
  });

  test('has one digest, whoever resolves it, at once too', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    const found = await Promise.all([
      resolvePackage(['npx', 'hello']), resolvePackage(['npx', 'hello']),
      resolvePackage(['npx', '-y', 'hello'], ['--refresh']),
      resolvePackage(['npx', 'hello'], [], { folder: join(place, 'other') }),
    ]);
    for (const { status, digest, sentence } of found) {
      assert.equal(status, 0, sentence);
      assert.equal(digest, found[0].digest);
    }
    assert.deepEqual(readdirSync(kept).filter((name) =>
      !name.startsWith(found[0].digest) && !name.endsWith('.request')), []);
  });

  test('stays what it was until it is refreshed', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    const first = await resolvePackage(['npx', 'hello@latest']);
    registry.publish({ name: 'hello', version: '2.0.0', bin: 'cli.js' },
      { 'cli.js': `${hello}// new\n` });
    const second = await resolvePackage(['npx', 'hello@latest']);
    assert.deepEqual([second.version, second.digest],
      ['1.0.0', first.digest]);
    const third = await resolvePackage(['npx', 'hello@latest'], ['--refresh']);
    assert.equal(third.version, '2.0.0');
    assert.notEqual(third.digest, first.digest);
  });

  test('is found by scope, by alias and by the name of a program', async () => {
    registry.publish({ name: '@scope/tool', version: '1.0.0',
      bin: { tool: 'a.js', other: 'b.mjs' } },
    { 'a.js': hello, 'b.mjs': `#!/usr/bin/env -S node --no-warnings\n` });
    const place = '${package}/node_modules';
    const commands = {
      'npx @scope/tool x': ['node', `${place}/@scope/tool/a.js`, 'x'],
      'npx -p @scope/tool other': ['node', '--no-warnings',
        `${place}/@scope/tool/b.mjs`],
      'npx tool@npm:@scope/tool@1': ['node', `${place}/tool/a.js`],
      'npm exec -- @scope/tool@^1.0 -v': ['node',
        `${place}/@scope/tool/a.js`, '-v'],
    };
    for (const [command, expected] of Object.entries(commands)) {
      const found = await resolvePackage(command.split(' '));
      assert.equal(found.status, 0, `${command}: ${found.sentence}`);
      assert.deepEqual([found.name, found.command],
        ['@scope/tool', expected]);
    }
    await refuses(['npx', '-p', '@scope/tool', 'none'],
      /@scope\/tool brings no program named none/);
  });

  test('with several programs has to be asked for one', async () => {
    registry.publish({ name: 'many', version: '1.0.0',
      bin: { one: 'a.js', two: 'b.js' } }, { 'a.js': hello, 'b.js': hello });
    await refuses(['npx', 'many'],
      /many brings several programs \(one, two\): write npx -p many PROGRAM/);
    registry.publish({ name: 'none', version: '1.0.0' }, {});
    await refuses(['npx', 'none'], /none brings no program named none/);
  });

  test('names no program of the host but the system\'s', async () => {
    const mine = join(place, 'mine');
    writeFileSync(mine, '#!/bin/sh\nkey=hush\n', { mode: 0o755 });
    const lines = [mine, `/usr/bin/env ${mine}`, './mine', 'up/mine',
      `/usr/bin/../..${mine}`, '/usr/bin/env ../mine', `/usr/bin/env -S ${mine}`];
    for (const [i, line] of lines.entries()) {
      registry.publish({ name: `digs${i}`, version: '1.0.0', bin: 'a' },
        { a: `#!${line}\n` });
      await refuses(['npx', `digs${i}`], /interpreter .* is not the system's/);
    }
    registry.publish({ name: 'shell', version: '1.0.0', bin: 'a' },
      { a: '#!/bin/sh\n' });
    const found = await resolvePackage(['npx', 'shell']);
    assert.equal(found.command[0], '/bin/sh');
  });

  test('that is not there is refused with npm\'s reason', async () => {
    await refuses(['npx', '-y', 'missing'], /missing: npm failed.*E404/);
    await refuses(['npx', 'missing'], /was never resolved here/,
      ['--offline']);
  });
});

describe('the registry', () => {
  test('gets the token that the user has for it, and nothing keeps it',
    async () => {
      registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
        { 'cli.js': hello });
      registry.token = 'a-token-of-the-user';
      await refuses(['npx', 'hello'], /E401/);
      writeFileSync(join(place, 'home/.npmrc'),
        `//${registry.host}/:_authToken=\${REGISTRY_TOKEN}\nscript-shell=x\n`);
      const found = await resolvePackage(['npx', 'hello'], [],
        { env: { REGISTRY_TOKEN: registry.token } });
      assert.equal(found.status, 0, found.sentence);
      for (const file of filesBelow(kept)) {
        if (!lstatSync(file).isFile()) continue;
        assert.ok(!readFileSync(file).includes(registry.token), file);
      }
    });

  test('is not the one that the current folder names', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    writeFileSync(join(place, '.npmrc'), 'registry=http://127.0.0.1:9/\n');
    const { status, stdout } = await run('npm', ['config', 'get', 'registry'],
      { env: { ...surroundings(), npm_config_registry: undefined } });
    assert.deepEqual([status, stdout], [0, 'http://127.0.0.1:9/\n']);
    writeFileSync(join(place, 'home/.npmrc'), `registry=${registry.url}\n`);
    const found = await resolvePackage(['npx', 'hello'], [],
      { env: { npm_config_registry: undefined } });
    assert.equal(found.status, 0, found.sentence);
  });

  test('that serves other bytes than it promised is refused', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello },
      { integrity: `sha512-${Buffer.alloc(64).toString('base64')}` });
    await refuses(['npx', 'hello'], /EINTEGRITY/);
  });

  test('that never answers is given up', async () => {
    registry.isSilent = true;
    await refuses(['npx', 'hello'], /npm took too long and was ended/,
      ['--ms', '3000']);
  });
});

describe('install scripts', () => {
  const marker = () => join(place, 'home/ran');
  const publish = (script) =>
    registry.publish({ name: 'scripted', version: '1.0.0', bin: 'cli.js',
      scripts: { postinstall: script } }, { 'cli.js': hello });

  test('are not run, and named (control: npx runs them)', async () => {
    publish(`touch ${marker()}`);
    const found = await resolvePackage(['npx', '-y', 'scripted']);
    assert.deepEqual([found.status, found.scriptsNotRun],
      [0, ['scripted@1.0.0']]);
    assert.ok(!existsSync(marker()));

    const plain = await run('npx', ['-y', 'scripted', 'x']);
    assert.equal(plain.stdout, 'hello x\n', plain.stderr);
    assert.ok(existsSync(marker()));
  });

  test('run when they are allowed, without a network and outside of nothing',
    async () => {
      publish(`touch built; touch ${marker()}; touch /resolve/out; ` +
        `node -e "require('net').connect(${registry.host.split(':')[1]},` +
        `'127.0.0.1').on('error',(e)=>require('fs').writeFileSync(` +
        `'net',e.code)).on('connect',()=>process.exit(1))"`);
      const found = await resolvePackage(['npx', '-y', 'scripted'],
        ['--allow-scripts']);
      assert.equal(found.status, 0, found.sentence);
      assert.deepEqual(found.scriptsNotRun, []);
      const folder = join(found.path, 'node_modules/scripted');
      assert.ok(existsSync(join(folder, 'built')));
      assert.match(readFileSync(join(folder, 'net'), 'utf8'),
        /^E(CONNREFUSED|NETUNREACH)$/);
      assert.ok(!existsSync(marker()));
      assert.ok(!existsSync(join(found.path, 'out')));
    });

  const hostile = {
    'a link that leaves': ['ln -s /etc/passwd secret',
      /scripted\/secret is a link that leaves the package \(to \/etc\/passwd\)/],
    'a link that climbs': ['ln -s ../../../../x up',
      /scripted\/up is a link that leaves/],
    'a pipe': ['mkfifo pipe', /scripted\/pipe is neither a file nor a folder/],
    'a name with a line in it': ['touch "$(printf \'a\\nb\')"',
      /a file's name holds a control character/],
  };
  for (const [what, [script, sentence]] of Object.entries(hostile)) {
    test(`that leave ${what} behind are refused`, async () => {
      publish(script);
      await refuses(['npx', 'scripted'], sentence, ['--allow-scripts']);
    });
  }

  test('get no set-user-id bit through', async () => {
    publish('cp /bin/true suid; chmod 4755 suid; ' +
      'test ! -u suid || echo it is set > is-set');
    const found = await resolvePackage(['npx', 'scripted'],
      ['--allow-scripts']);
    // The box refuses the bit; were it set, the tree would be refused.
    if (found.status === 3) {
      assert.match(found.sentence, /set-user-id|npm failed/);
    } else {
      const folder = join(found.path, 'node_modules/scripted');
      assert.ok(!existsSync(join(folder, 'is-set')));
      assert.equal(lstatSync(join(folder, 'suid')).mode & 0o6000, 0);
    }
  });
});

describe('a tarball', () => {
  test('with files above itself, links and set-id bits leaves nothing of it',
    async () => {
      const evil = join(place, 'evil');
      registry.publish({ name: 'evil', version: '1.0.0', bin: 'cli.js' }, {
        'cli.js': hello,
        'suid': { text: hello, mode: 0o4755 },
        '../../../../../../../../../../../../evil': { text: 'x' },
        [`../../../..${evil}`]: { text: 'x' },
        'link': { type: '2', link: '/etc/passwd' },
        'hard': { type: '1', link: '/etc/passwd' },
        'device': { type: '3' },
        'pipe': { type: '6' },
      });
      const found = await resolvePackage(['npx', 'evil']);
      assert.equal(found.status, 0, found.sentence);
      assert.ok(!existsSync('/evil') && !existsSync(evil));
      for (const file of filesBelow(found.path)) {
        const status = lstatSync(file);
        assert.equal(status.mode & 0o6000, 0, file);
        assert.ok(status.isFile() || status.isDirectory() ||
          basename(join(file, '..')) === '.bin', file);
      }
    });

  for (const bin of ['../../../../etc/passwd', '../other/cli.js',
    '/etc/passwd', 'missing.js', '']) {
    test(`whose program is ${bin || 'nothing'} is refused`, async () => {
      registry.publish({ name: 'other', version: '1.0.0' },
        { 'cli.js': hello });
      registry.publish({ name: 'evil', version: '1.0.0', bin: { evil: bin },
        dependencies: { other: '1' } }, { 'cli.js': hello });
      await refuses(['npx', 'evil'],
        /evil.*(outside the package|not in the package|no program)/);
    });
  }

  test('of many files is refused, and of many bytes', async () => {
    const files = { 'cli.js': hello };
    for (let i = 0; i < 600; i++) files[`f${i}`] = '';
    registry.publish({ name: 'many-files', version: '1.0.0', bin: 'cli.js' },
      files);
    await refuses(['npx', 'many-files'], /too big: more than 500 files/,
      ['--files', '500']);
    registry.publish({ name: 'big', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello, 'a': 'a'.repeat(3 << 20), 'b': 'b'.repeat(3 << 20) });
    await refuses(['npx', 'big'],
      /too big: more than \d+ files or 4 MiB/, ['--bytes', `${4 << 20}`]);
  });
});

describe('a kept tree', () => {
  let found;
  const file = () => join(found.path, 'node_modules/hello/cli.js');
  const change = (path, text) => {
    chmodSync(path, 0o644);
    writeFileSync(path, text);
    chmodSync(path, 0o444);
  };
  const again = (...flags) => resolvePackage(['npx', 'hello'], flags);

  beforeEach(async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello, 'data.txt': 'abc' });
    found = await again();
    assert.equal(found.status, 0, found.sentence);
  });

  test('that was changed is not run, with its times as they were',
    async () => {
      const path = join(found.path, 'node_modules/hello/data.txt');
      const { atime, mtime } = lstatSync(path);
      change(path, 'abd');
      utimesSync(path, atime, mtime);
      await refuses(['npx', 'hello'],
        /node_modules\/hello\/data.txt has changed since it was resolved/);
    });

  test('that has more or fewer files is not run', async () => {
    const folder = join(found.path, 'node_modules/hello');
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'added.js'), '');
    await refuses(['npx', 'hello'], /hello\/added.js has been added/);
    rmSync(join(folder, 'added.js'));
    rmSync(join(folder, 'data.txt'));
    await refuses(['npx', 'hello'], /hello\/data.txt has been removed/);
  });

  test('that was replaced by a link is not run', async () => {
    const path = join(found.path, 'node_modules');
    chmodSync(found.path, 0o755);
    renameSync(path, join(place, 'elsewhere'));
    symlinkSync(join(place, 'elsewhere'), path);
    await refuses(['npx', 'hello'], /node_modules is a link that leaves/);
    rmSync(path);
    symlinkSync('package.json', path);
    await refuses(['npx', 'hello'], /node_modules has changed/);
  });

  test('whose times alone differ is read again, and then known', async () => {
    const seal = () => readFileSync(`${found.path}.seal`);
    const before = seal();
    utimesSync(file(), 1, 1);
    const second = await again();
    assert.equal(second.status, 0, second.sentence);
    assert.notDeepEqual(seal(), before);
  });

  test('that is damaged is mended by --refresh', async () => {
    change(file(), 'process.exit(1)');
    await refuses(['npx', 'hello'], /cli.js has changed/);
    const mended = await again('--refresh');
    assert.deepEqual([mended.status, mended.digest], [0, found.digest]);
    assert.equal(readFileSync(file(), 'utf8'), hello);
    assert.equal((await again()).status, 0);
  });

  test('lies in a folder that nobody else may write to', async () => {
    chmodSync(kept, 0o777);
    await refuses(['npx', 'hello'], /others than its owner may write to it/);
  });

  test('is no concern of what others left unfinished', async () => {
    const old = join(kept, '.staging-abcdef');
    mkdirSync(join(old, 'tree'), { recursive: true });
    writeFileSync(join(old, 'tree/file'), '');
    utimesSync(old, 1, 1);
    assert.equal((await again('--refresh')).status, 0);
    assert.ok(!existsSync(old));
  });
});

describe('cordon wrap', () => {
  const wrap = (words, flags = [], more = {}) =>
    run(cordon, ['wrap', ...flags, '--', ...words],
      { env: surroundings({ XDG_DATA_HOME: place, ...more }) });
  const treeOf = () => {
    const folder = join(place, 'cordon/packages');
    return join(folder, readdirSync(folder)
      .find((name) => /^[0-9a-f]{64}$/.test(name)));
  };

  test('resolves a package at its first start, and never again', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    const first = await wrap(['npx', '-y', 'hello', 'you']);
    assert.deepEqual([first.stdout, first.status], ['hello you\n', 0],
      first.stderr);
    const asked = registry.requests.length;
    const second = await wrap(['npx', '-y', 'hello', 'two']);
    assert.deepEqual([second.stdout, second.stderr], ['hello two\n', '']);
    assert.equal(registry.requests.length, asked);
    await wrap(['npx', '-y', 'hello', 'you'], ['--refresh']);
    assert.ok(registry.requests.length > asked);
  });

  test('lets a package read its tree, and change nothing of it', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': `const fs = require('fs');
for (const act of [() => fs.writeFileSync(__filename, ''),
  () => fs.chmodSync(__filename, 0o777),
  () => fs.writeFileSync(__dirname + '/new', ''),
  () => fs.readdirSync(__dirname + '/../../..')]) {
  try { act(); console.log('done'); } catch (error) { console.log(error.code); }
}` });
    const { stdout, stderr } = await wrap(['npx', 'hello']);
    assert.match(stdout, /^(E\w+\n){3}/, stderr);
    assert.equal(readFileSync(
      join(treeOf(), 'node_modules/hello/cli.js'), 'utf8').length > 9, true);
    // Of the folder of packages it sees its own tree alone.
    assert.doesNotMatch(stdout, /done\n.*done/s);
  });

  test('keeps packages as they are where the home may be written', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': `const fs = require('fs');
const home = process.argv[2];
fs.writeFileSync(home + '/made', '');
for (const act of [() => fs.writeFileSync(home + '/cordon/packages/x', ''),
  () => fs.renameSync(home + '/cordon', home + '/other'),
  () => fs.chmodSync(__filename, 0o777)]) {
  try { act(); console.log('done'); } catch (error) { console.log(error.code); }
}` });
    const { stdout, stderr } =
      await wrap(['npx', 'hello', place], ['--write', place]);
    assert.equal(stdout, 'EROFS\nEBUSY\nEROFS\n', stderr);
    assert.ok(existsSync(join(place, 'made')));
  });

  test('is taught about a package, without its tree', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': "console.log(require('fs').readFileSync('note', 'utf8'))" });
    writeFileSync(join(place, 'note'), 'a note');
    const { stdout, stderr } = await run(cordon,
      ['learn', '--output', join(place, 'home/policy'), '--', 'npx', 'hello'],
      { env: surroundings({ XDG_DATA_HOME: join(place, 'home') }) });
    assert.equal(stdout, 'a note\n', stderr);
    const policy = readFileSync(join(place, 'home/policy'), 'utf8');
    assert.ok(policy.includes(place), policy);
    assert.doesNotMatch(policy, /cordon\/packages/);
  });

  test('refuses a tree that was changed, by name', async () => {
    registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
      { 'cli.js': hello });
    await wrap(['npx', 'hello', 'x']);
    const file = join(treeOf(), 'node_modules/hello/cli.js');
    chmodSync(file, 0o755);
    writeFileSync(file, "console.log('changed')");
    const { status, stdout, stderr } = await wrap(['npx', 'hello', 'x']);
    assert.deepEqual([status, stdout], [125, '']);
    assert.match(stderr, /node_modules\/hello\/cli.js has changed/);
  });

  test('refuses what is no package of a registry', async () => {
    const { status, stderr } =
      await wrap(['npx', '-y', 'github:user/repository']);
    assert.equal(status, 125);
    assert.match(stderr, /only packages of a registry are resolved/);
  });
});

describe('uvx, with a uv that is none', () => {
  // What `uv pip install --target` does, as far as it is looked at.
  const uv = (lines) => `#!/bin/sh
for word; do case $word in --target=*) lib=\${word#*=};; esac; done
printf '%s\\n' "$@" > /tmp/words
mkdir -p $lib/bin $lib/my_server $lib/My_Server-1.2.dist-info
echo '#!/nowhere/python' > $lib/bin/my-server
echo 'import sys
def main(): print("hello", sys.argv[1:]); return 3' > $lib/my_server/cli.py
echo '[console_scripts]
other = my_server.cli:nothing
my-server = my_server.cli:main' > $lib/My_Server-1.2.dist-info/entry_points.txt
mkdir $lib/dep-2.0.dist-info
${lines}
`;
  const env = (lines = '') => {
    const bin = join(place, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'uv'), uv(lines), { mode: 0o755 });
    return { PATH: `${bin}:${process.env.PATH}` };
  };

  test('resolves wheels, and starts what they bring', async () => {
    const found = await resolvePackage(['uvx', 'my-server@1.2', '-x'], [],
      { env: env('cp /tmp/words $lib/words') });
    assert.equal(found.status, 0, found.sentence);
    assert.deepEqual([found.name, found.version, found.packages],
      ['my-server', '1.2', 2]);
    const words = readFileSync(join(found.path, 'lib/words'), 'utf8');
    assert.match(words, /^pip\ninstall\n--no-build\n/);
    assert.match(words, /\n--\nmy-server==1.2\n$/);
    assert.ok(!existsSync(join(found.path, 'lib/bin')));
    const { stdout, status } = await run(found.run[0], found.run.slice(1));
    assert.deepEqual([stdout, status], ["hello ['-x']\n", 3]);
  });

  test('refuses a program that is not among them', async () => {
    await refuses(['uvx', '--from', 'my-server', 'none'],
      /brings no program named none/, [], { env: env() });
    await refuses(['uvx', 'absent'], /absent is not among what uv installed/,
      [], { env: env() });
  });

  test('says what uv said when it fails', async () => {
    await refuses(['uvx', 'my-server'], /uv failed with status 9: no wheel/,
      [], { env: env('echo no wheel; exit 9') });
  });
});
