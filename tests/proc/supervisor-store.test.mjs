// SPDX-License-Identifier: Apache-2.0

// A supervisor with everything below it: store, gateway, zygote. What the store
// says runs; whoever of them dies comes back, and the others know.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, linkSync, mkdirSync,
  mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync,
  writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Store } from './fake-supervisor.mjs';
import { build, patience } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';

const wait = 20_000 * patience;

class Host {
  static async start(t, programs = build, user = {}, prepare = () => {}) {
    const host = new Host();
    host.folder = mkdtempSync(join(tmpdir(), 'cordon-host-'));
    host.data = join(host.folder, 'store');
    mkdirSync(host.data);
    if (user.uid) for (const path of [host.folder, host.data]) chownSync(path, user.uid, user.uid);
    prepare(host.data);
    host.log = '';
    host.messages = [];
    host.helper = spawn(join(build, 'tests/unit/store/launch-supervisor'),
      [join(programs, 'cordon-supervisor'), host.data],
      { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/', ...user });
    host.helper.stdin.on('error', () => {});
    host.helper.stderr.setEncoding('utf8').on('data', (text) => { host.log += text; });
    createInterface({ input: host.helper.stdout })
      .on('line', (line) => host.messages.push(JSON.parse(line)));
    host.ended = new Promise((done) => host.helper.on('close', done));
    t.after(async () => {
      host.helper.stdin.end();
      await host.ended;
      rmSync(host.folder, { recursive: true, force: true });
    });
    await until('a supervisor', () => host.messages[0], wait);
    host.url = `http://127.0.0.1:${host.messages[0].port}`;
    return host;
  }

  static async ready(t, user) {
    const host = await Host.start(t, build, user);
    await host.until('the registry', () => /registry is there/.test(host.log));
    return host;
  }

  until(what, condition) {
    return until(`${what} in: ${this.log}`, condition, wait);
  }

  pid(name) {
    return treeOf(this.messages[0].pid).find((one) => one.name === name.slice(0, 15))?.pid;
  }

  // Kills one, and waits for the next of its kind.
  async replace(name) {
    const old = this.pid(name);
    process.kill(old, 'SIGKILL');
    await this.until(`another ${name}`, () => ![undefined, old].includes(this.pid(name)));
  }

  async ask(method, path, body) {
    const response = await fetch(this.url + path, { method,
      headers: { authorization: 'Bearer letmein', 'content-type': 'application/json',
        accept: 'application/json, text/event-stream' },
      body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, json: text === '' ? null : JSON.parse(text) };
  }

  async call(server, name, args = {}) {
    const { status, json } = await this.ask('POST', `/s/${server}/mcp`, { jsonrpc: '2.0', id: 1,
      method: 'tools/call', params: { name, arguments: args } });
    return status === 200 ? json.result?.content?.[0].text ?? json : status;
  }

  // Until the gateway can ask the store again.
  async admin(method, path, body) {
    for (const end = Date.now() + wait; ;) {
      const answer = await this.ask(method, path, body);
      if (answer.status !== 503 || Date.now() > end) return answer;
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async commit(...lines) {
    const before = this.messages.length;
    this.helper.stdin.write(`${[...lines, 'commit'].join('\n')}\n`);
    return this.until('COMMITTED', () =>
      this.messages.slice(before).find(({ type }) => type === 'COMMITTED'));
  }
}

const tool = (name, answer) => ({ name, kind: 'isolate',
  files: [{ path: `${name}.js`, text: `function run() { return ${JSON.stringify(answer)} }` }] });

// A server of lines with one tool, x.
function linesServer(t) {
  const server = createServer((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      const { id, method } = JSON.parse(line);
      const result = method === 'initialize'
        ? { protocolVersion: '2025-11-25', capabilities: { tools: {} },
          serverInfo: { name: 'lines', version: '1' } }
        : method === 'tools/list'
          ? { tools: [{ name: 'x', inputSchema: { type: 'object' } }] }
          : { content: [{ type: 'text', text: 'over a socket' }] };
      if (id !== undefined) socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
    });
    socket.on('error', () => {});
  });
  t.after(() => server.close());
  return server;
}

test('what an admin approves runs, what changes does not', async (t) => {
  const host = await Host.ready(t);
  assert.equal((await host.ask('POST', '/admin/servers', tool('hello', 'one'))).status, 201);
  assert.equal(await host.call('hello', 'hello'), 404);
  assert.equal((await host.ask('POST', '/admin/servers/hello/approve')).status, 200);
  assert.match(String(await host.call('hello', 'hello')), /one/);

  assert.equal((await host.ask('POST', '/admin/servers', tool('hello', 'two'))).json.state, 'changed');
  assert.equal(await host.call('hello', 'hello'), 404);
  assert.equal((await host.ask('POST', '/admin/servers/hello/approve')).status, 200);
  assert.match(String(await host.call('hello', 'hello')), /two/);

  assert.equal((await host.ask('DELETE', '/admin/servers/hello')).status, 204);
  assert.equal(await host.call('hello', 'hello'), 404);
});

test('store and gateway come back, whoever of them is killed', async (t) => {
  const host = await Host.ready(t);
  await host.ask('POST', '/admin/servers', tool('hello', 'one'));
  await host.ask('POST', '/admin/servers/hello/approve');
  assert.match(String(await host.call('hello', 'hello')), /one/);
  const template = host.pid('cordon-template');

  // Without its store the gateway serves on; the template stays.
  await host.replace('cordon-store');
  assert.match(String(await host.call('hello', 'hello')), /one/);
  assert.equal(host.pid('cordon-template'), template);
  assert.equal((await host.admin('POST', '/admin/servers', tool('later', 'x'))).status, 201);
  assert.equal((await host.admin('POST', '/admin/servers/later/approve')).status, 200);
  assert.match(String(await host.call('later', 'later')), /x/);

  // A new gateway gets its own stream and snapshot.
  const stores = host.pid('cordon-store');
  await host.replace('cordon-gateway');
  await host.until('the registry again',
    () => host.log.split('registry is there').length > 2);
  assert.equal(host.pid('cordon-store'), stores);
  assert.match(String(await host.call('hello', 'hello')), /one/);
  const { json } = await host.admin('GET', '/admin/audit/verify');
  assert.equal(json.ok, true);
  assert.ok(json.checked >= 4);
});

test('every call is in the audit once, however often the store is killed', async (t) => {
  const host = await Host.ready(t);
  await host.ask('POST', '/admin/servers', tool('hello', 'one'));
  await host.ask('POST', '/admin/servers/hello/approve');
  let calls = 0;
  for (let i = 0; i < 4; i++) {
    let killed = false;
    const replaced = host.replace('cordon-store').then(() => { killed = true; });
    for (; !killed || calls < 20 * (i + 1); calls++)
      assert.equal(await host.call('hello', 'hello'), 'one');
    await replaced;
  }
  const records = [];
  const all = () => records.filter(({ action }) => action === 'tools/call').length;
  await host.until(`all of ${calls} calls`, async () => {
    const after = records.at(-1)?.number ?? 0;
    const { json } = await host.admin('GET', `/admin/audit?limit=1000&after=${after}`);
    records.push(...json.records ?? []);
    return all() >= calls;
  });
  assert.equal(all(), calls);
  assert.equal((await host.admin('GET', '/admin/audit/verify')).json.ok, true);
});

test('what cannot run is left out, and ends neither the store nor the host', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-bad-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = await Store.start(t, folder);
  for (const name of ['good', 'bad']) {
    await store.ask('POST', '/servers', tool(name, name));
    await store.ask('POST', `/servers/${name}/approve`);
  }
  await store.stop();
  execFileSync('sqlite3', [join(folder, 'cordon.db'),
    "UPDATE servers SET memory_bytes = 1 WHERE name = 'bad'"]);
  const host = await Host.start(t, build, {}, (data) => cpSync(folder, data, { recursive: true }));
  await host.until('the registry', () => /registry is there/.test(host.log));
  assert.match(String(await host.call('good', 'good')), /good/);
  assert.match(host.log, /deploys what cannot run: plan: limits of 'bad'/);
  assert.doesNotMatch(host.log, /broke the protocol|the store ended/);
});

test('what the operator gives runs; a store that dies in between says so', async (t) => {
  const host = await Host.ready(t);
  const file = join(host.folder, 'folder.js');
  writeFileSync(file, 'function run() { return "from a folder" }');
  assert.equal((await host.commit(`bundle folder ${file}`)).status, 0);
  await host.until('the server', async () =>
    /from a folder/.test(String(await host.call('folder', 'tool'))));

  // Gathered by a store that is killed: nothing half is taken.
  host.helper.stdin.write(`bundle other ${file}\n`);
  await host.replace('cordon-store');
  const lost = await host.commit();
  const servers = async () => (await host.admin('GET', '/admin/servers')).json.servers
    .map(({ name }) => name).sort();
  if (lost.status !== 0) {
    assert.match(lost.text, /once more/);
    assert.deepEqual(await servers(), ['folder']);
  }
  assert.equal((await host.commit(`bundle folder ${file}`, `bundle other ${file}`)).status, 0);
  assert.deepEqual(await servers(), ['folder', 'other']);
});

test('a server behind a socket gets its links from the supervisor', async (t) => {
  const host = await Host.ready(t);
  const path = join(host.folder, 'lines.sock');
  const body = { name: 'lines', kind: 'socket', socket: path };
  await host.ask('POST', '/admin/servers', body);
  await host.ask('POST', '/admin/servers/lines/approve');
  const failed = await host.ask('POST', '/s/lines/mcp', { jsonrpc: '2.0', id: 1,
    method: 'tools/call', params: { name: 'x', arguments: {} } });
  assert.match(JSON.stringify(failed.json), /lines\.sock: No such file|start the server/);

  const server = linesServer(t);
  await new Promise((done) => server.listen(path, done));
  await host.until('a link', async () => await host.call('lines', 'x') === 'over a socket');
});

// Kills one so often that the next start has to wait for seconds.
async function wearOut(host, name) {
  for (let i = 0; i < 5; i++) await host.replace(name);
  process.kill(host.pid(name), 'SIGKILL');
  await host.until('its end', () => host.pid(name) === undefined);
}

test('who has to wait for its restart keeps nobody waiting', async (t) => {
  const host = await Host.ready(t);
  const path = join(host.folder, 'lines.sock');
  const server = linesServer(t);
  await new Promise((done) => server.listen(path, done));
  for (const body of [tool('hello', 'one'), { name: 'lines', kind: 'socket', socket: path }]) {
    await host.ask('POST', '/admin/servers', body);
    await host.ask('POST', `/admin/servers/${body.name}/approve`);
  }
  assert.match(String(await host.call('hello', 'hello')), /one/);

  // The first link of a server, and an isolate that waits for its zygote.
  await wearOut(host, 'cordon-zygote');
  const later = host.call('hello', 'hello');
  await host.until('a link', async () => await host.call('lines', 'x') === 'over a socket');
  assert.equal(host.pid('cordon-zygote'), undefined, 'the link waited for the zygote');
  assert.match(String(await later), /one/);

  await wearOut(host, 'cordon-store');
  assert.match(String(await host.call('hello', 'hello')), /one/);
  const gateway = host.pid('cordon-gateway');
  await host.replace('cordon-gateway');
  assert.notEqual(host.pid('cordon-gateway'), gateway);
  assert.equal(host.pid('cordon-store'), undefined, 'the gateway waited for the store');
  await host.until('a store again', () => host.pid('cordon-store'));
  await host.until('all of it', async () => /one/.test(String(await host.call('hello', 'hello'))));
  assert.equal((await host.admin('GET', '/admin/audit/verify')).json.ok, true);
});

test('a store that keeps ending ends nobody', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root looks whose files they are');
  const host = await Host.ready(t);
  await host.ask('POST', '/admin/servers', tool('hello', 'one'));
  await host.ask('POST', '/admin/servers/hello/approve');
  // Its folder is no folder of its own any more: it cannot even be started.
  const name = join(host.data, 'cordon.db');
  linkSync(name, join(host.data, 'other'));
  process.kill(host.pid('cordon-store'), 'SIGKILL');
  await until('that it is told', () => /store ended 9 times.*tried again in 30 s/.test(host.log),
    30_000 + wait);
  assert.match(String(await host.call('hello', 'hello')), /one/);
  assert.doesNotMatch(host.log, /giving up/);
});

// Whatever it is called: control groups have files of such names.
test('a tenant has its own memory limit', async (t) => {
  const host = await Host.ready(t);
  await host.ask('POST', '/admin/tenants', { name: 'cgroup.procs', quota: { memory_bytes: 256 << 20 } });
  await host.ask('POST', '/admin/servers?tenant=cgroup.procs', tool('hello', 'one'));
  await host.ask('POST', '/admin/servers/hello/approve?tenant=cgroup.procs');
  const { json } = await host.ask('POST', '/admin/tokens',
    { name: 'a', scopes: ['read', 'call'], tenant: 'cgroup.procs' });
  const response = await fetch(`${host.url}/s/hello/mcp`, { method: 'POST',
    headers: { authorization: `Bearer ${json.token}`, 'content-type': 'application/json',
      accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: { name: 'hello', arguments: {} } }) });
  assert.match(await response.text(), /one/);
  const own = readFileSync(`/proc/${host.messages[0].pid}/cgroup`, 'utf8')
    .match(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m)?.[1];
  const limit = own && join('/sys/fs/cgroup/memory', own,
    `cordon.${host.messages[0].pid}`, 't-cgroup.procs/memory.limit_in_bytes');
  if (!limit || !existsSync(limit)) return t.skip('no v1 memory controller to look at');
  assert.equal(Number(readFileSync(limit)), 256 << 20);
  await host.ask('PATCH', '/admin/tenants/cgroup.procs', { quota: { memory_bytes: 512 << 20 } });
  await host.until('the new limit', () => Number(readFileSync(limit)) === 512 << 20);
});

test('the store sees its folder and nothing else, root or not', async (t) => {
  const users = process.getuid() === 0 ? [{}, { uid: 65534, gid: 65534 }] : [{}];
  for (const user of users) {
    const host = await Host.ready(t, user);
    assert.equal((await host.ask('POST', '/admin/servers', tool('hello', 'one'))).status, 201);
    assert.equal((await host.ask('POST', '/admin/servers/hello/approve')).status, 200);
    assert.match(String(await host.call('hello', 'hello')), /one/);

    const proc = `/proc/${host.pid('cordon-store')}`;
    const mounts = readFileSync(`${proc}/mountinfo`, 'utf8').trim().split('\n')
      .map((line) => line.split(' ')).map((words) => [words[4], words[5]]);
    assert.deepEqual(mounts.map(([place]) => place), ['/', '/data']);
    for (const [, flags] of mounts) assert.match(flags, /nosuid,nodev,noexec/);
    assert.match(mounts[0][1], /^ro,/);
    assert.match(readFileSync(`${proc}/net/dev`, 'utf8'), /^(?:.*\n){2}\s*lo:.*\n$/);
    const status = readFileSync(`${proc}/status`, 'utf8');
    assert.match(status, /^CapBnd:\s*0+$/m);
    assert.match(status, /^Seccomp:\s*2$/m);
    const owner = statSync(join(host.data, 'cordon.db'));
    assert.equal(owner.mode & 0o777, 0o600);
    assert.equal(owner.uid, process.getuid() === 0 && !user.uid ? 1900000003
      : user.uid ?? process.getuid());
  }
});

test('the gateway has no file, no network and no capability, root or not', async (t) => {
  const users = process.getuid() === 0 ? [{}, { uid: 65534, gid: 65534 }] : [{}];
  for (const user of users) {
    const host = await Host.ready(t, user);
    const proc = `/proc/${host.pid('cordon-gateway')}`;
    const mounts = readFileSync(`${proc}/mountinfo`, 'utf8').trim().split('\n')
      .map((line) => line.split(' '));
    assert.deepEqual(mounts.map((words) => words[4]), ['/']);
    assert.match(mounts[0][5], /^ro,nosuid,nodev,noexec/);
    assert.match(readFileSync(`${proc}/net/dev`, 'utf8'), /^(?:.*\n){2}\s*lo:.*\n$/);
    const status = readFileSync(`${proc}/status`, 'utf8');
    assert.match(status, /^CapBnd:\s*0+$/m);
    assert.match(status, /^CapEff:\s*0+$/m);
    assert.match(status, /^Seccomp:\s*2$/m);
    // Beside its standard three: what was given to it, nothing that has a path.
    const others = readdirSync(`${proc}/fd`).filter((fd) => Number(fd) > 2)
      .map((fd) => readlinkSync(`${proc}/fd/${fd}`));
    for (const link of others) {
      assert.match(link, /^(?:socket|pipe|anon_inode):|^\/memfd:/);
    }
  }
});

test('gives away no file that is not its own', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root gives files away');
  const folder = mkdtempSync(join(tmpdir(), 'cordon-link-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const other = join(folder, 'shadow');
  for (const make of [symlinkSync, linkSync]) {
    writeFileSync(other, 'secret');
    const host = await Host.start(t, build, {}, (data) => make(other, join(data, 'cordon.db')));
    await host.until('its refusal', () => /is no plain file of one name/.test(host.log));
    await host.ended;
    assert.equal(statSync(other).uid, 0);
    assert.equal(readFileSync(other, 'utf8'), 'secret');
  }
});

test('a gateway that lies to the store is ended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-programs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['cordon-store', 'cordon-cell.so', 'cordon-platform.js', 'engine'])
    symlinkSync(join(build, name), join(folder, name));
  copyFileSync(join(build, 'cordon-supervisor'), join(folder, 'cordon-supervisor'));
  copyFileSync(join(build, 'tests/unit/store/rogue-gateway'), join(folder, 'cordon-gateway'));
  chmodSync(folder, 0o755);
  const host = await Host.start(t, folder);
  await host.until('its end',
    () => /the gateway sent the store a frame of a type.*ending it/.test(host.log));
  await host.until('the next one', () => /the gateway ended; restarting it/.test(host.log));
  assert.doesNotMatch(host.log, /the store ended/);
});
