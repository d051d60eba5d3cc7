// SPDX-License-Identifier: Apache-2.0

// A host and its way out: what was approved is what goes out, what goes out is
// told, and egress may end.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, post, valueOf } from '../lib/mcp.mjs';
import { cordon, patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const TOOL = `export default { tools: { get: {
  inputSchema: { type: 'object' },
  run: ({ url }) => fetch(url).then((response) => response.text(),
    (error) => error.cause.code) } } }`;

let world, host, file, config;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.net', '45.83.7.3');
  config = { ...world.config() };
  host = await Host.start({ files: { 'folder.js': TOOL },
    config: { ...config, servers: { folder: {
      network: { allowedDomains: ['api.acme.net'] } } } } });
  file = join(host.folder, 'added.mjs');
  writeFileSync(file, TOOL);
});
after(async () => {
  const { left } = await host?.stop() ?? { left: [] };
  await world?.stop();
  assert.deepEqual(left, []);
});

const env = () => ({ ...process.env, CORDON_STATE: join(host.folder, 'state') });
const ctl = (...words) => execFileSync(cordon, words,
  { env: env(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const get = async (server, url) => valueOf(await callTool(host, server, 'get', { url }));
const log = (...words) => ctl('egress', 'log', '--json', ...words)
  .split('\n').filter(Boolean).map((line) => JSON.parse(line));
const within = 20_000 * patience;

async function told(condition, ...words) {
  let found;
  await until('an event', () => (found = log(...words).find(condition)), within);
  return found;
}

test('what is reached is approved with the server, and nothing else goes out', async () => {
  const said = ctl('upstream', 'add', 'added', file, '--net', 'https://api.acme.net');
  assert.match(said, /^ {2}reaches {2}https:\/\/api\.acme\.net$/m);
  assert.match(said, /quarantined/);
  await assert.rejects(get('added', 'https://api.acme.net/text'));
  ctl('upstream', 'approve', 'added');
  assert.equal(await get('added', 'https://api.acme.net/text'), 'hello');
  assert.equal(await get('added', 'http://api.acme.net/text'), 'NO_RULE');
  assert.equal(await get('added', 'https://other.net/text'), 'NO_RULE');

  // Another rule: it is not what was approved, and nothing of it runs.
  ctl('upstream', 'add', 'added', file, '--net', 'https://other.net');
  await assert.rejects(get('added', 'https://other.net/text'));
  assert.match(ctl('upstream', 'list'), /added +changed/);
  ctl('upstream', 'approve', 'added');
  assert.equal(await get('added', 'https://other.net/text'), 'hello');
  assert.equal(await get('added', 'https://api.acme.net/text'), 'NO_RULE');
});

test('egress has no file, no capability and no listener; of the host the network', () => {
  const [{ pid }] = host.processes('cordon-egress');
  const proc = `/proc/${pid}`;
  const mounts = readFileSync(`${proc}/mountinfo`, 'utf8').trim().split('\n')
    .map((line) => line.split(' '));
  assert.deepEqual(mounts.map((words) => words[4]), ['/']);
  assert.match(mounts[0][5], /^ro,nosuid,nodev,noexec/);
  const status = readFileSync(`${proc}/status`, 'utf8');
  for (const line of [/^CapBnd:\s*0+$/m, /^CapEff:\s*0+$/m, /^Seccomp:\s*2$/m])
    assert.match(status, line);
  if (process.getuid() === 0) assert.match(status, /^Uid:(\s1900000004){4}$/m);
  assert.equal(readlinkSync(`${proc}/ns/net`), readlinkSync('/proc/self/ns/net'));
  for (const kind of ['user', 'mnt', 'pid', 'ipc', 'uts'])
    assert.notEqual(readlinkSync(`${proc}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);

  // Beside its standard three: what was given to it, or made by it; no path.
  const opened = (of) => readdirSync(`/proc/${of}/fd`).filter((fd) => Number(fd) > 2)
    .map((fd) => readlinkSync(`/proc/${of}/fd/${fd}`));
  for (const link of opened(pid))
    assert.match(link, /^(?:socket|pipe|anon_inode):|^\/memfd:/);
  const listening = new Set(['tcp', 'tcp6'].flatMap((kind) =>
    readFileSync(`${proc}/net/${kind}`, 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
      .filter((words) => words[3] === '0A').map((words) => `socket:[${words[9]}]`)));
  const [gateway] = host.processes('cordon-gateway');
  assert.ok(opened(gateway.pid).some((link) => listening.has(link)), 'control: the gateway listens');
  assert.ok(!opened(pid).some((link) => listening.has(link)));
});

test('each request is told: whose call it was, where to, how it ended', async () => {
  const answer = await post(host, 'folder', { jsonrpc: '2.0', id: 1, method: 'tools/call',
    params: { name: 'get', arguments: { url: 'https://api.acme.net/text?secret=x' } } });
  const request = answer.headers.get('x-request-id');
  const event = await told((one) => one.request === request);
  assert.deepEqual([event.tenant, event.server, event.call, event.principal, event.unit],
    ['local', 'folder', 'get', 'local', 'cell']);
  assert.deepEqual([event.verdict, event.method, event.scheme, event.host, event.port,
    event.path, event.status], ['allowed', 'GET', 'https', 'api.acme.net', 443, '/text', 200]);
  assert.ok(event.bytes_in >= 5);

  const refused = await post(host, 'folder', { jsonrpc: '2.0', id: 2, method: 'tools/call',
    params: { name: 'get', arguments: { url: 'https://other.net/x' } } });
  const why = await told((one) => one.request === refused.headers.get('x-request-id'),
    '--refused', '--server', 'folder');
  assert.equal(why.end, 'no_rule');
  assert.match(why.text, /other\.net/, 'the rule that was missing');
  assert.ok(log('--refused').every(({ verdict }) => verdict === 'refused'));
  assert.ok(log('--server', 'added').every(({ server }) => server === 'added'));

  const lines = ctl('egress', 'log', '--server', 'folder').split('\n');
  assert.ok(lines.some((line) => /local\/folder get {2}allowed {2}GET https:\/\/api\.acme\.net:443\/text {2}200/
    .test(line)), lines.join('\n'));
  assert.match(ctl('upstream', 'logs', 'folder'), /warn {2}egress refused: GET https:\/\/other\.net/);
  const metrics = await (await fetch(`${host.url}/metrics`, { headers: host.headers })).text();
  assert.match(metrics, /cordon_egress_requests_total\{tenant="local",server="folder",end="ok"\} [1-9]/);
  assert.match(metrics, /cordon_egress_refused_total\{tenant="local",server="folder"\} [1-9]/);
  const audit = ctl('audit', 'export').split('\n').filter((line) => /egress\/refused/.test(line))
    .map((line) => JSON.parse(line));
  const record = audit.find((one) => one.request === refused.headers.get('x-request-id'));
  assert.equal(record?.detail.server, 'folder');
  assert.doesNotMatch(JSON.stringify([audit, log()]), /secret=x/, 'a query is logged');
});

test('is followed as it comes', async () => {
  const follower = spawn(cordon, ['egress', 'log', '-f', '--refused', '--server', 'added'],
    { env: env(), stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: follower.stdout });
  const seen = new Promise((done) => lines.on('line', (line) =>
    /:443\/followed/.test(line) && done(line)));
  await until('a line', async () => {
    await get('added', 'https://nowhere.acme.net/followed');
    return Promise.race([seen, new Promise((done) => { setTimeout(done, 200); })]);
  }, within);
  assert.match(await seen, /local\/added get {2}refused {2}GET https:\/\/nowhere\.acme\.net/);
  follower.kill();
  await new Promise((done) => follower.on('exit', done));
});

test('settings that changed take hold with a new egress, others leave it alone', async () => {
  const pid = () => host.processes('cordon-egress').map((one) => one.pid)[0];
  const settings = join(host.folder, 'servers/cordon.json');
  const now = JSON.parse(readFileSync(settings, 'utf8'));
  const first = pid();
  const reread = async (what) => {
    const before = host.log.length;
    process.kill(host.child.pid, 'SIGHUP');
    await until(what, () => host.log.slice(before)
      .some((line) => /read anew|nothing is changed/.test(line)), within);
    return host.log.slice(before).join('\n');
  };
  assert.match(await reread('the same settings'), /read anew/);
  assert.equal(pid(), first);

  writeFileSync(settings, JSON.stringify({ ...now, egress: { denied: ['45.83.7.1'] } }));
  assert.match(await reread('settings that are none'), /\/egress\/denied\/0 must be a prefix/);
  assert.equal(await get('folder', 'https://api.acme.net/text'), 'hello');

  writeFileSync(settings, JSON.stringify({ ...now,
    egress: { ...now.egress, denied: ['45.83.7.1/32'] } }));
  assert.match(await reread('the new settings'), /read anew/);
  await until('another egress', () => pid() && pid() !== first, within);
  await until('the prefix to be refused', async () =>
    await get('folder', 'https://api.acme.net/text') === 'ADDRESS', within);
  writeFileSync(settings, JSON.stringify(now));
  await reread('the settings of before');
  await until('it to go out again', async () =>
    await get('folder', 'https://api.acme.net/text') === 'hello', within);
});

test('while egress is away calls are answered, and it comes back with all rules', async () => {
  const pid = () => host.processes('cordon-egress').map((one) => one.pid)[0];
  // Short lives in a row: it is started later and later.
  for (let i = 0; i < 3; i++) {
    await until('an egress', pid, within);
    const last = pid();
    process.kill(last, 'SIGKILL');
    await until('its end', () => pid() !== last, within);
  }
  const said = await get('folder', 'https://api.acme.net/text');
  assert.ok(['hello', 'INTERNAL', 'NO_EGRESS'].includes(said), said);
  for (const server of ['folder', 'added']) {
    const url = server === 'folder' ? 'https://api.acme.net/text' : 'https://other.net/text';
    await until(`${server} to go out again`, async () => await get(server, url) === 'hello', within);
    assert.equal(await get(server, 'https://169.254.169.254/'), 'NO_RULE');
  }
  assert.ok(host.log.some((line) => /egress ended; restarting it/.test(line)));
  // Events come again, too.
  const answer = await post(host, 'folder', { jsonrpc: '2.0', id: 3, method: 'tools/call',
    params: { name: 'get', arguments: { url: 'https://api.acme.net/text' } } });
  await told((one) => one.request === answer.headers.get('x-request-id'));
});
