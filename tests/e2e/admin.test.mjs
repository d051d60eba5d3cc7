// SPDX-License-Identifier: Apache-2.0

// The commands of a person who runs a host, against a real one: a server's way
// from the quarantine to its end, reading anew, and one host a state folder.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { cordon, patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { plain } from './servers.mjs';

const said = (text) => `export default { tools: { say: { description: 'Says it.',
  inputSchema: { type: 'object' }, run: () => { console.log('asked');
    return ${JSON.stringify(text)}; } } } };`;

// `cordon WORDS` with the host's state; input goes to its standard input.
async function command(host, words, input) {
  const child = spawn(cordon, words, { stdio: 'pipe',
    env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
  const text = { stdout: '', stderr: '' };
  for (const name of Object.keys(text)) {
    child[name].setEncoding('utf8').on('data', (more) => { text[name] += more; });
  }
  child.stdin.on('error', () => {}).end(input);
  const [code] = await once(child, 'close');
  return { code, ...text };
}

async function ok(host, ...words) {
  const { code, stdout, stderr } = await command(host, words);
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

const json = async (host, ...words) =>
  JSON.parse(await ok(host, ...words, '--json'));

const toolNames = async (host, ...words) =>
  (await json(host, 'tools', ...words)).tools.map(({ name }) => name).sort();

async function started(t, options) {
  const host = await Host.start(options);
  t.after(async () => {
    if (host.exit === undefined) await host.stop();
    rmSync(host.folder, { recursive: true, force: true });
  });
  return host;
}

test('quarantined, approved, called, changed, denied, removed; all of it on record', async (t) => {
  const host = await started(t, {});
  assert.deepEqual(await toolNames(host), []);
  const file = join(host.folder, 'file.js');
  writeFileSync(file, said('first'));

  assert.match(await ok(host, 'upstream', 'add', 'srv', file), /is quarantined/);
  assert.deepEqual(await toolNames(host), []);
  const unseen = await command(host, ['call', 'srv__say']);
  assert.notEqual(unseen.code, 0);
  assert.equal(unseen.stdout, '');
  const hidden = await command(host, ['tools', 'srv']);
  const nowhere = await command(host, ['tools', 'nowhere']);
  assert.equal(hidden.code, 1);
  assert.equal(hidden.stderr.replaceAll('srv', 'X'), nowhere.stderr.replaceAll('nowhere', 'X'));

  await ok(host, 'upstream', 'approve', 'srv');
  assert.deepEqual(await toolNames(host), ['srv__say']);
  assert.deepEqual(await toolNames(host, 'srv'), ['say']);
  assert.equal(await ok(host, 'call', 'srv__say'), 'first\n');
  assert.equal(await ok(host, 'call', '-s', 'srv', 'say', '{}'), 'first\n');
  assert.match(await ok(host, 'upstream', 'logs', 'srv'), /asked/);

  // Other files under an approved name are not what was approved.
  writeFileSync(file, said('second'));
  assert.match(await ok(host, 'upstream', 'add', 'srv', file), /is changed/);
  assert.notEqual((await command(host, ['call', 'srv__say'])).stdout, 'second\n');
  await ok(host, 'upstream', 'approve', 'srv');
  assert.equal(await ok(host, 'call', 'srv__say'), 'second\n');

  await ok(host, 'upstream', 'deny', 'srv');
  assert.deepEqual(await toolNames(host), []);
  assert.notEqual((await command(host, ['call', 'srv__say'])).code, 0);
  assert.equal((await json(host, 'upstream', 'list')).servers[0].state, 'denied');
  await ok(host, 'upstream', 'remove', 'srv');
  assert.deepEqual((await json(host, 'upstream', 'list')).servers, []);
  const again = await command(host, ['upstream', 'remove', 'srv']);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /srv/);

  const actions = (await ok(host, 'audit', 'export')).trimEnd().split('\n')
    .map((line) => JSON.parse(line)).filter(({ detail }) => JSON.stringify(detail).includes('"srv"'))
    .map(({ action }) => action);
  const wanted = ['server/add', 'server/approve', 'tools/call', 'server/deny', 'server/remove'];
  assert.deepEqual(wanted.filter((one) => !actions.includes(one)), []);
  assert.match(await ok(host, 'audit', 'verify'), /is whole/);
  assert.match(await ok(host, 'top', '--once'), /TOKEN/);
  assert.equal((await json(host, 'doctor')).host.state, 'ready');
});

test('tokens: what one may not do, and the end of one', async (t) => {
  const host = await started(t, { files: { 'plain.js': plain } });
  const made = await json(host, 'token', 'create', 'reader', '--scope', 'read');
  const file = join(host.folder, 'reader');
  writeFileSync(file, made.token, { mode: 0o600 });
  const as = ['--token-file', file];
  assert.ok((await toolNames(host, ...as)).includes('plain__add'));
  const call = await command(host, ['call', ...as, 'plain__add', '{"a":1,"b":2}']);
  assert.equal(call.code, 1);
  assert.doesNotMatch(call.stdout, /3/);
  const admin = await command(host, ['upstream', 'list', ...as]);
  assert.equal(admin.code, 1);
  assert.match(admin.stderr, /admin/);
  await ok(host, 'token', 'revoke', String(made.id));
  assert.equal((await command(host, ['tools', ...as])).code, 1);
  assert.equal(await ok(host, 'call', 'plain__add', '{"a":1,"b":2}', '--json')
    .then((text) => JSON.parse(text).structuredContent.sum), 3);
});

test('what is denied or revoked ends in the middle of its calls', async (t) => {
  const slow = `export default { tools: { wait: { inputSchema: { type: 'object' },
    run() { console.log('begun'); return new Promise((r) => setTimeout(r, 25000)); } } } };`;
  const host = await started(t, { files: { 'slow.mjs': slow } });
  const guest = await json(host, 'token', 'create', 'guest');
  const file = join(host.folder, 'guest');
  writeFileSync(file, guest.token, { mode: 0o600 });

  let begun = 0;
  const calling = async (...as) => {
    const call = command(host, ['call', ...as, 'slow__wait']);
    begun++;
    await until('the call to begin', async () =>
      (await ok(host, 'upstream', 'logs', 'slow')).split('begun').length > begun);
    return { call };
  };
  const theirs = await calling('--token-file', file);
  const ours = await calling();
  let isOver = false;
  ours.call.finally(() => { isOver = true; });
  const before = Date.now();
  await ok(host, 'token', 'revoke', String(guest.id));
  assert.notEqual((await theirs.call).code, 0);
  assert.equal(isOver, false);
  await ok(host, 'upstream', 'deny', 'slow');
  assert.match((await ours.call).stderr, /changed or removed in the middle of the call/);
  assert.ok(Date.now() - before < 20_000, 'they ended by themselves');
});

test('connect: a client on stdio works with the host, in both eras', async (t) => {
  const host = await started(t, { files: { 'plain.js': plain } });
  const meta = { _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' } } };
  const add = { name: 'add', arguments: { a: 2, b: 3 } };
  const talk = async (messages) => {
    const { code, stdout, stderr } = await command(host, ['connect', 'plain'],
      messages.map((one) => `${JSON.stringify({ jsonrpc: '2.0', ...one })}\n`).join(''));
    assert.deepEqual([code, stderr], [0, '']);
    return new Map(stdout.trimEnd().split('\n').map((line) => JSON.parse(line))
      .map((message) => [message.id, message]));
  };
  const legacy = await talk([
    { id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25',
      capabilities: {}, clientInfo: { name: 'test', version: '1' } } },
    { method: 'notifications/initialized' },
    { id: 'one', method: 'tools/list' },
    { id: 2, method: 'tools/call', params: add },
  ]);
  assert.equal(legacy.get(0).result.protocolVersion, '2025-11-25');
  assert.ok(legacy.get('one').result.tools.some(({ name }) => name === 'add'));
  assert.equal(legacy.get(2).result.structuredContent.sum, 5);

  const modern = await talk([
    { id: 1, method: 'server/discover', params: meta },
    { id: 2, method: 'tools/call', params: { ...add, ...meta } },
  ]);
  assert.ok(modern.get(1).result.supportedVersions.includes('2026-07-28'));
  assert.equal(modern.get(2).result.structuredContent.sum, 5);
});

test('SIGHUP reads folders and settings anew; what is wrong changes nothing', async (t) => {
  const host = await started(t, { files: { 'a.js': said('a') } });
  const servers = join(host.folder, 'servers');
  const reload = async (answer) => {
    const before = host.log.length;
    process.kill(host.child.pid, 'SIGHUP');
    await until('an answer to SIGHUP', () =>
      host.log.slice(before).some((line) => answer.test(line)), 20_000 * patience);
  };
  writeFileSync(join(servers, 'b.js'), said('b'));
  rmSync(join(servers, 'a.js'));
  await reload(/1 servers are read anew/);
  await until('the new tools', async () =>
    (await toolNames(host)).join() === 'b__say', 10_000 * patience);
  assert.equal(await ok(host, 'call', 'b__say'), 'b\n');

  writeFileSync(join(servers, 'cordon.json'), '{"limitz": {}}');
  writeFileSync(join(servers, 'c.js'), said('c'));
  await reload(/\/limitz is not known/);
  assert.deepEqual(await toolNames(host), ['b__say']);
  rmSync(join(servers, 'cordon.json'));
  await reload(/2 servers are read anew/);
  assert.ok(host.log.every((line) => !/gateway ended/.test(line)));
});

test('what the host has to say of a server is in that server\'s log', async (t) => {
  const host = await started(t, { files: { 'a.js': said('a'), 'bad.js': 'throw new Error()' } });
  assert.deepEqual(await toolNames(host), ['a__say']);
  assert.match(await ok(host, 'upstream', 'logs', 'bad'), /bad: the bundle does not load/);
  assert.equal(await ok(host, 'upstream', 'logs', 'a'), '');
});

test('another address at SIGHUP needs a new start, and says so', async (t) => {
  const host = await started(t, { files: { 'a.js': said('a') }, listen: [],
    config: { listen: '127.0.0.1:0' } });
  const settings = join(host.folder, 'servers', 'cordon.json');
  const reload = async (text, answer) => {
    writeFileSync(settings, JSON.stringify(text));
    const before = host.log.length;
    process.kill(host.child.pid, 'SIGHUP');
    await until('an answer to SIGHUP', () =>
      host.log.slice(before).some((line) => answer.test(line)), 20_000 * patience);
  };
  await reload({ listen: '127.0.0.1:1' },
    /listen is 127.0.0.1:1 in the new settings, and was 127.0.0.1:0: that needs a new start/);
  await reload({ listen: '127.0.0.1:0' }, /1 servers are read anew/);
  assert.equal(await ok(host, 'call', 'a__say'), 'a\n');
});

test('a server that somebody serves on a socket', async (t) => {
  const host = await started(t, {});
  const path = join(host.folder, 'far.sock');
  const far = createServer((socket) => {
    let rest = '';
    socket.setEncoding('utf8').on('error', () => {}).on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const { id, method } of lines.map((line) => JSON.parse(line))) {
        const result = { initialize: { protocolVersion: '2025-11-25',
          capabilities: { tools: {} }, serverInfo: { name: 'far', version: '1' } },
        'tools/list': { tools: [{ name: 'hi', inputSchema: { type: 'object' } }] },
        'tools/call': { content: [{ type: 'text', text: 'from afar' }] } }[method];
        if (id === undefined) continue;
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...result ? { result } :
          { error: { code: -32601, message: 'unknown' } } })}\n`);
      }
    });
  });
  far.listen(path);
  await once(far, 'listening');
  t.after(() => far.close());
  await ok(host, 'upstream', 'add', 'far', '--socket', path);
  await ok(host, 'upstream', 'approve', 'far');
  assert.equal(await ok(host, 'call', '-s', 'far', 'hi'), 'from afar\n');

  // The same by the settings, which approve it.
  const other = await started(t, { files: {},
    config: { servers: { far: { socket: path, share: 'all' } } } });
  assert.equal(await ok(other, 'call', 'far__hi'), 'from afar\n');
});

test('one host a state folder; a stale socket is replaced', async (t) => {
  const host = await started(t, { files: { 'a.js': said('a') } });
  const second = await command(host, ['serve', '--listen', '127.0.0.1:0']);
  assert.equal(second.code, 2);
  assert.match(second.stderr, /a host is running with the state in/);
  assert.equal(await ok(host, 'call', 'a__say'), 'a\n');

  await ok(host, 'upstream', 'add', 'kept', join(host.folder, 'servers', 'a.js'));
  process.kill(host.child.pid, 'SIGKILL');
  await host.ended;
  assert.equal((await json(host, 'doctor')).host.state, 'BROKEN');
  assert.ok(existsSync(join(host.folder, 'state', 'admin.sock')));
  const next = await Host.start({ folder: host.folder });
  t.after(() => next.exit ?? next.stop());
  const { servers } = await json(next, 'upstream', 'list');
  assert.deepEqual(servers.map(({ name, state }) => [name, state]), [['kept', 'quarantined']]);
  assert.deepEqual(await host.tree.left(10_000 * patience), []);
});

test('without tokens only where no other machine can come', async (t) => {
  const open = await started(t, { files: { 'plain.js': plain }, args: ['--no-auth'] });
  const list = await fetch(`${open.url}/mcp`, { method: 'POST',
    headers: { 'content-type': 'application/json',
      accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) });
  assert.match(await list.text(), /plain__add/);
  assert.equal((await fetch(`${open.url}/admin/tokens`)).status, 403);
  const wide = await command(await started(t, {}),
    ['serve', '--no-auth', '--listen', '0.0.0.0:0']);
  assert.equal(wide.code, 2);
  assert.match(wide.stderr, /--no-auth is for loopback addresses only/);
});

test('TLS: served, and a certificate that does not fit is refused', async (t) => {
  const host = await started(t, {});
  const at = (name) => join(host.folder, name);
  const openssl = spawn('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('key'), '-out', at('pem'),
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
  { stdio: 'ignore' });
  assert.equal((await once(openssl, 'close'))[0], 0);
  const tls = await started(t, {
    args: ['--tls-cert', at('pem'), '--tls-key', at('key')] });
  assert.match(tls.url, /^https:/);
  const { get } = await import('node:https');
  const status = await new Promise((resolve, reject) =>
    get(`${tls.url}/healthz`, { ca: readFileSync(at('pem')) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject));
  assert.equal(status, 200);
  const wrong = await command(host, ['serve', '--listen', '127.0.0.1:0',
    '--tls-cert', at('pem'), '--tls-key', at('pem')]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /can be read by others|no certificate and key/);
});
