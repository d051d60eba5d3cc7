// SPDX-License-Identifier: Apache-2.0

// Servers in boxes as people bring them: `cordon upstream add NAME -- COMMAND`,
// the settings, a client's configuration; and what is known of them afterwards.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync,
  rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { addBox, admin, boxesOf, callBox, stdioServer } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { rpc } from '../lib/mcp.mjs';
import { cordon, node } from '../lib/paths.mjs';
import { FakeRegistry } from '../proc/fake-registry.mjs';

const folderOf = (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cordon-add-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(stdioServer, join(folder, 'server.cjs'));
  return folder;
};

async function run(host, cwd, ...words) {
  const child = spawn(cordon, words, { cwd,
    env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => { said[name] += text; });
  said.code = await new Promise((done) => child.on('close', done));
  assert.equal(said.code, 0, said.stderr);
  return said.stdout;
}

test('what is added from a folder runs as it was meant there', async (t) => {
  const host = await Host.start({});
  t.after(() => host.stop());
  const cwd = folderOf(t);
  mkdirSync(join(cwd, 'home'));
  const shown = await run(host, cwd, 'upstream', 'add', 'mine', '--read', '.',
    '--', node, 'server.cjs');
  assert.match(shown, new RegExp(`^ {2}reads {4}.*${cwd}`, 'm'));
  assert.match(shown, /cordon upstream approve mine/);
  assert.deepEqual(boxesOf(host), [], 'adding starts nothing');
  await run(host, cwd, 'upstream', 'approve', 'mine');
  assert.match(await run(host, cwd, 'upstream', 'list'), /^mine +approved +box /m);
  assert.match(await callBox(host, 'mine', 'read', { path: join(cwd, 'server.cjs') }), /stdio server/);
  assert.equal(await callBox(host, 'mine', 'read', { path: '/etc/shadow' }), 'ENOENT');

  // Another word of its command, and it is out of sight.
  await run(host, cwd, 'upstream', 'add', 'mine', '--read', '.', '--', node, 'server.cjs', 'x');
  assert.match(await run(host, cwd, 'upstream', 'show', 'mine'), /state +changed/);
  await assert.rejects(callBox(host, 'mine', 'who'));
});

test('a list starts nothing once the surface is known, not after a restart either', async (t) => {
  let host = await Host.start({});
  const state = mkdtempSync(join(tmpdir(), 'cordon-kept-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  await addBox(host, 'kept');
  const names = async () => 
    (await rpc(host, 'kept', 'tools/list', {})).result.tools.map(({ name }) => name);
  const first = await names();
  assert.ok(first.includes('who'));
  // The control: that list started it.
  assert.equal(boxesOf(host).length, 1);
  const kept = join(state, 'all');
  host.tree.stop();
  process.kill(host.child.pid, 'SIGTERM');
  await host.ended;
  renameSync(host.folder, kept);
  host = await Host.start({ folder: kept });
  t.after(() => host.stop());
  assert.deepEqual(await names(), first);
  assert.deepEqual(boxesOf(host), [], 'a list started a box');
  assert.equal((await callBox(host, 'kept', 'who')).calls, 1);
  assert.equal(boxesOf(host).length, 1);
});

test('programs of the settings come with them', async (t) => {
  const cwd = folderOf(t);
  const config = join(cwd, 'cordon.json');
  const write = (servers) => writeFileSync(config, JSON.stringify({ servers }));
  writeFileSync(join(cwd, 'p.json'), JSON.stringify({ filesystem: { allowRead: ['.'] } }));
  write({ prog: { command: [node, 'server.cjs'], policy: 'p.json', share: 'all',
    box: { idle: '60s', spares: 0 } } });
  const host = await Host.start({ args: ['--config', config] });
  t.after(() => host.stop());
  assert.equal((await callBox(host, 'prog', 'who')).calls, 1);
  const shown = await admin(host, 'GET', '/servers/prog');
  assert.deepEqual([shown.origin, shown.share, shown.box.idle_s], ['folder', 'all', 60]);
  assert.deepEqual(shown.policy.filesystem.allowRead.includes(cwd), true);
});

test('what a client had is imported, and answers', async (t) => {
  const host = await Host.start({});
  t.after(() => host.stop());
  const cwd = folderOf(t);
  writeFileSync(join(cwd, '.mcp.json'), JSON.stringify({ mcpServers: {
    'My Server': { command: node, args: [join(cwd, 'server.cjs')], env: { A_TOKEN: 'hush' } } } }));
  const said = await run(host, cwd, 'import', '.mcp.json', '--add', '--read', '.',
    '--read', dirname(node));
  assert.match(said, /my-server is quarantined/);
  assert.doesNotMatch(said, /hush/);
  await run(host, cwd, 'upstream', 'approve', 'my-server');
  assert.equal((await callBox(host, 'my-server', 'who')).calls, 1);
});

// A host with a server from a package, from a registry that is ours.
async function packaged(t) {
  const registry = await new FakeRegistry().start();
  t.after(() => registry.stop());
  const server = readFileSync(stdioServer, 'utf8');
  registry.publish({ name: 'hello', version: '1.0.0', bin: 'cli.js' },
    { 'cli.js': server.startsWith('#!') ? server : `#!/usr/bin/env node\n${server}` });
  const host = await Host.start({});
  const cwd = folderOf(t);
  const npm = { npm_config_registry: registry.url, npm_config_userconfig: join(cwd, 'npmrc') };
  const add = async (name) => {
    Object.assign(process.env, npm);
    await run(host, cwd, 'upstream', 'add', name, '--', 'npx', '-y', 'hello');
    await run(host, cwd, 'upstream', 'approve', name);
    for (const key of Object.keys(npm))
      delete process.env[key];
    return (await admin(host, 'GET', `/servers/${name}`)).package.digest;
  };
  return { host, cwd, add };
}

test('a package that changed while the host was down is not run', async (t) => {
  let { host, add } = await packaged(t);
  const state = mkdtempSync(join(tmpdir(), 'cordon-kept-'));
  const kept = join(state, 'all');
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const digest = await add('pack');
  assert.equal((await callBox(host, 'pack', 'who')).calls, 1);
  const again = async () => {
    host.tree.stop();
    process.kill(host.child.pid, 'SIGTERM');
    await host.ended;
    if (host.folder !== kept)
      renameSync(host.folder, kept);
  };
  await again();
  // The control: what is as it was, runs, wherever its inodes are now.
  host = await Host.start({ folder: kept });
  assert.equal((await callBox(host, 'pack', 'who')).calls, 1);
  await again();
  const packages = join(kept, 'state/packages');
  const file = join(packages, digest, 'node_modules/hello/cli.js');
  chmodSync(file, 0o644);
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n// another one's word\n`);
  host = await Host.start({ folder: kept });
  t.after(() => host.stop());
  assert.match(host.log.join('\n'), new RegExp(`package ${digest.slice(0, 12)}: node_modules/hello/cli.js has changed`));
  await assert.rejects(callBox(host, 'pack', 'who'), /package|packages/);
  assert.ok(!existsSync(join(packages, digest)));
});

test('a package goes with the last server of it', async (t) => {
  const { host, cwd, add } = await packaged(t);
  t.after(() => host.stop());
  const packages = join(host.folder, 'state/packages');
  const digest = await add('one');
  assert.equal(await add('two'), digest);
  // Longer than what a list shows.
  const long = 'x'.repeat(4096);
  const two = await admin(host, 'GET', '/servers/two');
  await admin(host, 'POST', '/servers', { name: 'two', kind: 'box', package: two.package,
    command: [...two.command, long], policy: two.policy });
  await run(host, cwd, 'upstream', 'remove', 'one');
  assert.ok(existsSync(join(packages, digest)), 'another server runs from it');
  await run(host, cwd, 'upstream', 'remove', 'two');
  assert.deepEqual(readdirSync(packages), []);
  // Who wants it again, gets it again.
  assert.equal(await add('one'), digest);
  assert.equal((await callBox(host, 'one', 'who')).calls, 1);
});
