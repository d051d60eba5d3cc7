// SPDX-License-Identifier: Apache-2.0

// `cordon upstream add NAME -- COMMAND` and `cordon import FILE`, against a
// host that is none: what is sent, what is shown, and what never is.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cordon } from '../lib/paths.mjs';
import { FakeHost, sendJson } from './fake-host.mjs';

// Answers as the store does: what came, and its state.
const echo = (state = 'quarantined') => ({ method, body }, response) =>
  sendJson(response, method === 'GET' ? 404 : 201,
    method === 'GET' ? { error: 'none' } : { ...JSON.parse(body), state });

const folderOf = (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cordon-add-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const posted = (host) => host.requests.filter(({ method }) => method === 'POST')
  .map(({ body }) => JSON.parse(body));

// `cordon` in a folder of its own, with nothing in its environment but this.
async function run(host, cwd, words, env = {}) {
  const { spawn } = await import('node:child_process');
  const child = spawn(cordon, words, { cwd,
    env: { PATH: process.env.PATH, HOME: join(cwd, 'home'), CORDON_STATE: host.state, ...env } });
  let stdout = '', stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  const code = await new Promise((done) => child.on('close', done));
  return { code, stdout, stderr };
}

test('what is meant as seen from here is written out', async (t) => {
  const host = await FakeHost.start(t, echo());
  const cwd = folderOf(t);
  for (const name of ['home/notes', 'data', 'pics/a', 'pics/b'])
    mkdirSync(join(cwd, name), { recursive: true });
  writeFileSync(join(cwd, 'x.js'), '');
  writeFileSync(join(cwd, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync(join(cwd, 'data'), join(cwd, 'link'));

  const { code, stdout, stderr } = await run(host, cwd, ['upstream', 'add', 'mine',
    '--read', '~/notes', '--read', 'link', '--read', 'pics/*', '--write', './data',
    '--env', 'MODE', '--env', 'B=hushed', '--memory', '64MiB', '--pids', '9', '--timeout', '5s',
    '--share', 'session', '--spares', '2', '--idle', '90s', '--start-timeout', '250ms',
    '--', './run.sh', '--flag', '--', 'x.js'], { MODE: 'dev', OTHER: 'no' });
  assert.equal(code, 0, stderr);
  const [body] = posted(host);
  assert.deepEqual([body.name, body.kind, body.share, body.cwd], ['mine', 'box', 'session', cwd]);
  assert.deepEqual(body.command, [join(cwd, 'run.sh'), '--flag', '--', 'x.js']);
  assert.deepEqual(body.policy.env, { B: 'hushed', MODE: 'dev' });
  const { allowRead, allowWrite } = body.policy.filesystem;
  for (const path of ['home/notes', 'pics/a', 'pics/b', 'run.sh'])
    assert.ok(allowRead.includes(join(cwd, path)), `${path} in ${allowRead}`);
  assert.ok(allowWrite.includes(join(cwd, 'data')), allowWrite.join());
  assert.deepEqual(body.policy.limits, { memory: '64MiB', pids: 9 });
  assert.deepEqual(body.box, { start_ms: 250, idle_s: 90, spares: 2 });
  assert.deepEqual(body.limits, { wall_ms: 5000 });
  assert.doesNotMatch(JSON.stringify(body), /~|\*|"OTHER"|profiles/);

  // As people read it; the values of variables are nobody's.
  assert.match(stdout, /^ {2}runs {5}.*run\.sh --flag -- x\.js$/m);
  assert.match(stdout, /^ {2}writes {3}.*\/data\b/m);
  assert.match(stdout, /^ {2}env {6}B, MODE$/m);
  assert.match(stdout, /^ {2}limits {3}memory 64MiB, pids 9$/m);
  assert.match(stdout, /^ {2}network {2}none$/m);
  assert.match(stdout, /mine is quarantined: .* cordon upstream approve mine\n$/);
  assert.doesNotMatch(stdout, /hushed|dev/);
  // It may not read what it is given: said, not granted.
  assert.match(stderr, /it is given .*\/x\.js, but may not read it; --read or --write/);
  assert.ok(!allowRead.includes(join(cwd, 'x.js')));
  const again = await run(host, cwd, ['upstream', 'add', 'mine', '--read', '.', '--', 'node', 'x.js']);
  assert.deepEqual([again.code, again.stderr], [0, '']);
});

test('what is shown for approval is what will be', async (t) => {
  const host = await FakeHost.start(t, echo());
  const cwd = folderOf(t);
  writeFileSync(join(cwd, 'x.js'), '');
  const { code, stdout, stderr } = await run(host, cwd, ['upstream', 'add', 'mine', '--unix-sockets',
    '--', '/bin/sh', '-c', 'rm -r x', '', "it's", 'x.js', 'a,b=c:d@e']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^ {2}runs {5}\/bin\/sh -c 'rm -r x' '' 'it'\\''s' x\.js a,b=c:d@e$/m);
  assert.match(stdout, new RegExp(`^  in       ${cwd}$`, 'm'));
  assert.match(stdout, /^ {2}network {2}none, but unix sockets of its own$/m);
});

test('what cannot be right is refused without asking', async (t) => {
  const host = await FakeHost.start(t, echo());
  const cwd = folderOf(t);
  writeFileSync(join(cwd, 'tool.js'), '');
  for (const [words, sentence] of [
    [['a', '--'], /no command behind --/],
    [['a', 'tool.js', '--', 'node'], /one of them/],
    [['a', '--socket', '/s', '--', 'node'], /one of them/],
    [['a', 'tool.js', '--read', '/etc'], /-- COMMAND/],
    [['a', '--read', '/', '--', 'node'], /all files of the machine/],
    [['a', '--env', '1x', '--', 'node'], /no name of a variable/],
    [['a', '--secret', 'KEY=api.acme.net', '--', 'node'],
      /takes a name alone here: .* cordon secret set NAME --for SERVER --host HOST/],
    [['a', '--policy', 'none.json', '--', 'node'], /none\.json/],
    [['a', '--profile', 'nobody', '--', 'node'], /nobody/],
    [['../a', '--', 'node'], /cannot be a name/],
    [['a', '--spares', '0', '--', 'node'], /spares/],
  ]) {
    const { code, stdout, stderr } = await run(host, cwd, ['upstream', 'add', ...words]);
    assert.deepEqual([code, stdout], [2, ''], `${words}: ${stderr}`);
    assert.match(stderr, sentence);
  }
  // A package goes where the host is, or nowhere.
  const { code, stderr } = await run(host, cwd, ['upstream', 'add', 'a', '--admin-socket',
    host.socketPath, '--', 'npx', '-y', 'some-package']);
  assert.deepEqual([code, host.requests.length], [2, 0]);
  assert.match(stderr, /state folder of the host/);
});

const CONFIG = `{
  // A comment, "mcpServers": {} in it /* and another
  "inputs": [{ "id": "tok", "type": "promptString", "password": true },],
  "servers": {
    "Git Hub": { "command": "gh-mcp", "env": { "GITHUB_TOKEN": "\${input:tok}" } },
    "files": { "command": "node", "args": ["\${workspaceFolder}/x.js", "--api-key=k1", "--token", "k2"],
      "env": { "SECRET_KEY": "hush", "URL": "https://u:pw@h.example/", "MODE": "\${env:MODE}", "N": 5 },
      "cwd": "\${workspaceFolder}" },
    "linear": { "type": "http", "url": "https://mcp.example/sse" },
    "FILES": { "command": "x" },
    "e\\u001b[2Jvil": { "command": "a\\u001b[2Jb\\nc" },
    "n": 5, /* the end */
  },
}`;

test('import shows, and sends nothing', async (t) => {
  const host = await FakeHost.start(t, echo());
  const cwd = folderOf(t);
  mkdirSync(join(cwd, '.vscode'));
  writeFileSync(join(cwd, '.vscode/mcp.json'), CONFIG);
  const dry = await run(host, cwd, ['import', '.vscode/mcp.json'], { MODE: 'dev' });
  assert.deepEqual([dry.code, dry.stderr, host.requests.length], [0, '', 0]);
  assert.match(dry.stdout, /git-hub \(in the file: Git Hub\)\n {2}cannot be brought: .*'tok'.*GITHUB_TOKEN/);
  assert.match(dry.stdout, new RegExp(
    `files\n {2}runs {5}node ${cwd}/x\\.js --api-key=\\(hidden\\) --token \\(hidden\\)\n`));
  assert.match(dry.stdout, /env {6}SECRET_KEY=\(hidden\), URL=\(hidden\), MODE=dev, N=5/);
  assert.match(dry.stdout, /takes {4}MODE of your environment/);
  assert.match(dry.stdout, /linear\n {2}cannot be brought: it is a server elsewhere/);
  assert.match(dry.stdout, /'files' has the same name/);
  assert.match(dry.stdout, /policy {3}the profile node/);
  assert.match(dry.stdout, /Nothing is added yet/);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(dry.stdout, /hush|pw@|k1|k2|\u001b/);

  const { stdout } = await run(host, cwd, ['import', '.vscode/mcp.json', '--json'], { MODE: 'dev' });
  const { servers } = JSON.parse(stdout);
  assert.deepEqual(servers.map(({ name, refused }) => [name, !refused]), [['git-hub', false],
    ['files', true], ['linear', false], ['files', false], ['e-2jvil', true], ['n', false]]);
  assert.deepEqual(servers[1].env, { SECRET_KEY: null, URL: null, MODE: 'dev', N: '5' });
  assert.doesNotMatch(stdout, /hush|pw@|k1|k2/);
});

test('import --add adds them as they were shown, and changes none', async (t) => {
  const cwd = folderOf(t);
  mkdirSync(join(cwd, '.vscode'));
  writeFileSync(join(cwd, '.vscode/mcp.json'), CONFIG);
  writeFileSync(join(cwd, 'x.js'), '');
  const host = await FakeHost.start(t, ({ method, url, body }, response) =>
    method === 'GET' ? sendJson(response, url.endsWith('/git-hub') ? 200 : 404, {})
      : echo()({ method, body }, response));
  const env = { MODE: 'dev', GITHUB_TOKEN: 'given' };
  const one = await run(host, cwd, ['import', '.vscode/mcp.json', '--add', '--server', 'files',
    '--read', '.'], env);
  assert.equal(one.code, 0, one.stderr);
  const [body] = posted(host);
  assert.deepEqual([body.name, body.kind, body.cwd], ['files', 'box', cwd]);
  assert.deepEqual(body.command, ['node', join(cwd, 'x.js'), '--api-key=k1', '--token', 'k2']);
  assert.deepEqual(body.policy.env,
    { ...body.policy.env, SECRET_KEY: 'hush', URL: 'https://u:pw@h.example/', MODE: 'dev', N: '5' });
  assert.match(one.stdout, /files is quarantined/);
  assert.doesNotMatch(one.stdout + one.stderr, /hush|pw@/);

  const all = await run(host, cwd, ['import', '.vscode/mcp.json', '--add'], env);
  assert.equal(all.code, 1);
  assert.match(all.stderr, /git-hub: the host has a server of this name already/);
  assert.deepEqual(posted(host).map(({ name }) => name), ['files', 'files', 'e-2jvil']);
});

test('import shows all that a file takes of an environment', (t) => {
  const cwd = folderOf(t);
  const file = join(cwd, 'c.json');
  const names = Array.from({ length: 20 }, (_, i) => `SOMETHING_LONG_ENOUGH_${i}`);
  const import_ = (words, more) => {
    writeFileSync(file, JSON.stringify({ mcpServers: { a: { command: 'x',
      args: words.map((name) => `\${${name}}`) } } }));
    return spawnSync(cordon, ['import', file], { encoding: 'utf8', env: { ...process.env,
      ...more, ...Object.fromEntries(names.map((name) => [name, '1'])) } }).stdout;
  };
  // One name in another.
  assert.match(import_(['MY_API_KEY_ID', 'API_KEY'], { MY_API_KEY_ID: 'a', API_KEY: 'b' }),
    /takes {4}MY_API_KEY_ID, API_KEY of your/);
  // More than there is room for.
  assert.match(import_([...names, 'API_KEY'], { API_KEY: 'b' }),
    /API_KEY of your|cannot be brought: .*environment/);
});

test('import: a file does not say what its reader grants', async (t) => {
  const cwd = folderOf(t);
  const host = await FakeHost.start(t, ({ method, body }, response) =>
    method === 'GET' ? sendJson(response, 404, {}) : echo()({ method, body }, response));
  const import_ = (where, ...words) => {
    writeFileSync(join(cwd, 'c.json'), JSON.stringify({ mcpServers: {
      a: { command: 'node', args: ['x.js'], cwd: where } } }));
    return run(host, cwd, ['import', 'c.json', ...words]);
  };
  mkdirSync(join(cwd, 'inner'));
  // The control: its own folder, inside of where it is read.
  const own = join(cwd, 'inner');
  assert.equal((await import_(own, '--add', '--profile', 'workspace')).code, 0);
  assert.deepEqual(posted(host).at(-1).policy.filesystem.allowWriteGuarded, [own]);
  for (const [where, ...words] of [[own, '--read', '.'], ['/etc', '--read', '.'], ['/etc', '--write', '.']]) {
    const { code, stderr } = await import_(where, '--add', ...words);
    assert.equal(code, 0, stderr);
    const { policy: { filesystem: files } } = posted(host).at(-1);
    const granted = [files.allowRead, files.allowWrite, files.allowWriteGuarded].flat();
    assert.ok(granted.includes(cwd), `${words}: ${granted}`);
    assert.ok(!granted.includes('/etc'), `${words}: ${granted}`);
  }
  const n = posted(host).length;
  writeFileSync(join(cwd, 'p.json'), '{"filesystem":{"allowRead":["."]}}');
  for (const words of [['--profile', 'workspace'], ['--policy', 'p.json']]) {
    const { code, stderr } = await import_('/etc', '--add', ...words);
    assert.equal(code, 1);
    assert.match(stderr, /a: it is to start in \/etc/);
  }
  assert.equal(posted(host).length, n);
  assert.match((await import_('/etc')).stdout, /^ {2}starts in \/etc$/m);
});

test('import: files that are none', (t) => {
  const cwd = folderOf(t);
  const file = join(cwd, 'c.json');
  spawnSync('mkfifo', [join(cwd, 'pipe')]);
  for (const [text, sentence] of [
    ['{', /c\.json is not JSON: line 1/],
    ['{"a":1\n,,}', /line 2, column/],
    ['{}', /there are no servers in it/],
    ['{"mcpServers": []}', /there are no servers in it/],
    [' '.repeat((1 << 20) + 1), /larger than 1 MiB/],
    ['/* never', /not JSON/],
  ]) {
    writeFileSync(file, text);
    const { status, stdout, stderr } = spawnSync(cordon, ['import', file], { encoding: 'utf8' });
    assert.deepEqual([status, stdout], [2, ''], stderr);
    assert.match(stderr, sentence);
  }
  assert.equal(spawnSync(cordon, ['import', join(cwd, 'none')]).status, 2);
  // A pipe that nobody writes does not keep it.
  assert.equal(spawnSync(cordon, ['import', join(cwd, 'pipe')], { timeout: 10_000 }).status, 2);
  writeFileSync(file, '{"mcpServers": {}}');
  assert.equal(spawnSync(cordon, ['import', file]).status, 0);
});
