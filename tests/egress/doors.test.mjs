// SPDX-License-Identifier: Apache-2.0

// What comes out of a box, where a rule allows it: programs that know nothing
// of cordon, in the network of a box, reach a world through a real egress.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from
  'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PROXY, SOCKS } from '../lib/egress-box.mjs';
import { build } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { Doors } from './doors-host.mjs';

let doors, world;
before(async () => {
  doors = await Doors.start();
  world = doors.world;
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('see.acme.net', '45.83.7.2');
  await world.name('echo.acme.net', { a: ['45.83.7.3'] });
  await world.tcp('echo.acme.net',
    { address: '45.83.7.3', port: 7000, then: 'echo' });
});
after(() => doors.stop());

const NODE = 'fetch(process.argv[1]).then((r) => r.text()).then(console.log)';
const PYTHON = 'import sys, urllib.request as u;' +
  'print(u.urlopen(sys.argv[1]).read().decode())';

test('curl, Node and Python get there, untold', async () => {
  const box = await doors.box(['api.acme.net']);
  for (const scheme of ['http', 'https']) {
    const url = `${scheme}://api.acme.net/text?say=hello`;
    for (const words of [['curl', '-sS', url],
      [process.execPath, '-e', NODE, url],
      ['/usr/bin/env', 'python3', '-c', PYTHON, url]]) {
      const { stdout, stderr } = await box.run(words);
      assert.equal(stdout.trim(), 'hello', `${words[0]} ${scheme}: ${stderr}`);
    }
  }
  await until('six events', () => box.events().length === 6);
  assert.deepEqual(box.events().map(({ end, scheme, host, method }) =>
    `${end} ${scheme} ${host} ${method}`), [
    ...Array(3).fill('0 1 api.acme.net GET'),
    ...Array(3).fill('0 2 api.acme.net '),
  ]);
  await box.end();
});

test('both proxies lead there, too', async () => {
  const box = await doors.box(['api.acme.net']);
  for (const [proxy, scheme] of [[PROXY, 'http'], [PROXY, 'https'],
    [`socks5h://${SOCKS}`, 'http'], [`socks5h://${SOCKS}`, 'https'],
    [`socks5://${SOCKS}`, 'https']]) {
    const { stdout, stderr } = await box.curl('-x', proxy,
      `${scheme}://api.acme.net/text?say=${scheme}`);
    assert.equal(stdout, scheme, `${proxy}: ${stderr}`);
  }
  // By the variables that programs look at.
  for (const scheme of ['http', 'https']) {
    const python = await box.run(['/usr/bin/env', 'python3', '-c', PYTHON,
      `${scheme}://api.acme.net/text?say=python`],
    { env: { http_proxy: PROXY, https_proxy: PROXY } });
    assert.equal(python.stdout, 'python\n', python.stderr);
  }
  // One connection to the proxy, two requests.
  const { stdout } = await box.curl('-x', PROXY, '-w', '%{num_connects} ',
    'http://api.acme.net/text', 'http://api.acme.net/text');
  assert.equal(stdout, 'hello1 hello0 ');
  await box.end();
});

test('what no rule allows fails, and says which rule is missing', async () => {
  const box = await doors.box(['https://api.acme.net', 'see.acme.net:8080'],
    { ports: [80, 443, 7000, 8080] });
  const lookup = await box.curl('https://other.acme.net/');
  assert.equal(lookup.code, 6, lookup.stderr);
  const asked = await box.event(({ host }) => host === 'other.acme.net');
  assert.equal(asked.end, 'NO_RULE');
  assert.equal(asked.refused, 1);
  assert.match(asked.text, /add the rule "https:\/\/other\.acme\.net"/);
  // The name is known, the port is not.
  const http = await box.curl('-i', 'http://api.acme.net/');
  assert.match(http.stdout, /^HTTP\/1\.1 403 /);
  assert.match(http.stdout, /cordon: no rule allows http:\/\/api\.acme\.net: add/);
  const tls = await box.curl('https://see.acme.net/');
  assert.match(tls.stderr, /alert access denied/);
  assert.match((await box.event(({ host, port }) => host === 'see.acme.net' &&
    port === 443)).text, /no rule allows https:\/\/see\.acme\.net/);
  const proxy = await box.curl('-x', PROXY, 'https://other.acme.net/');
  assert.match(proxy.stderr, /response 403/);
  const socks = await box.curl('-x', `socks5h://${SOCKS}`,
    'https://other.acme.net/');
  assert.match(socks.stderr, /\(2\)/); // not allowed by the ruleset
  const tcp = await box.speak('api.acme.net', 7000, '');
  assert.equal(tcp.text, '');
  assert.match((await box.event(({ port }) => port === 7000)).text,
    /add the rule "tcp:\/\/api\.acme\.net:7000"/);
  // Nothing of it has reached the world.
  const seen = await world.questions();
  assert.equal(seen.some(({ name }) => name?.startsWith('other')), false);
  await box.end();
});

test('requests are seen where a rule has a path or methods', async () => {
  const box = await doors.box(['https://see.acme.net/echo',
    { rule: 'http://see.acme.net', methods: 'GET' }]);
  const good = await box.curl('-H', 'X-One: 1', 'https://see.acme.net/echo?x=1');
  const echoed = JSON.parse(good.stdout);
  assert.equal(echoed.url, '/echo?x=1');
  assert.equal(echoed.names['x-one'], '1');
  const bad = await box.curl('-i', 'https://see.acme.net/text');
  assert.match(bad.stdout, /^HTTP\/1\.1 403 /);
  assert.match(bad.stdout, /"https:\/\/see\.acme\.net\/echo" does not allow/);
  const put = await box.curl('-i', '-d', 'x', 'http://see.acme.net/echo');
  assert.match(put.stdout, /^HTTP\/1\.1 403 /);
  assert.match(put.stdout, /add the method POST/);
  assert.equal((await box.curl('http://see.acme.net/text')).stdout, 'hello');
  await until('the events', () => box.events().length >= 4);
  assert.deepEqual(box.events().map(({ end, method, path, status }) =>
    `${end} ${method} ${path} ${status}`), ['0 GET /echo 200', '2 GET /text 0',
    '2 POST /echo 0', '0 GET /text 200']);
  // Who does not trust the authority learns so from its own library.
  const distrust = await box.run(['curl', '-sS', 'https://see.acme.net/echo']);
  assert.match(distrust.stderr, /SSL certificate problem/);
  assert.match((await box.event(({ end }) => end === 7)).text, /SSL_CERT_FILE/);
  await box.end();
});

test('a secret is put in, and taken out of what returns', async () => {
  const box = await doors.box(['https://see.acme.net'], { secrets: [
    { name: 'KEY', host: 'see.acme.net', value: 'hunter2-hunter2' }] });
  const { stdout, stderr } = await box.curl('https://see.acme.net/echo');
  assert.ok(stdout.includes('"authorization"'), stderr);
  assert.ok(!stdout.includes('hunter2'), stdout);
  const seen = (await world.requests()).at(-1);
  assert.ok(seen.headers.includes('Bearer hunter2-hunter2'));
  await box.end();
});

test('large bodies arrive whole, both ways, through every door', async () => {
  const box = await doors.box(['api.acme.net', 'https://see.acme.net/bytes',
    'https://see.acme.net/length'], { budget: { bytesIn: 1e9, bytesOut: 1e9 } });
  const file = join(world.folder, 'large');
  const n = 20_000_003;
  writeFileSync(file, Buffer.alloc(n, 'some of it '));
  const hash = createHash('sha256');
  for (let left = n; left > 0; left -= 65536) {
    hash.update(Buffer.alloc(65536, 'cordon ').subarray(0, left));
  }
  const expected = hash.digest('hex');
  for (const origin of ['http://api.acme.net', 'https://api.acme.net',
    'https://see.acme.net']) {
    for (const query of ['', '?chunked']) {
      const out = join(world.folder, 'out');
      const { stderr } = await box.curl('-o', out, `${origin}/bytes/${n}${query}`);
      assert.equal(createHash('sha256').update(readFileSync(out)).digest('hex'),
        expected, `${origin}${query} ${stderr}`);
    }
    for (const words of [['-T', file], ['-T', '-']]) {
      const { stdout, stderr } = await box.run(['curl', '-sS', '--cacert',
        doors.trust, ...words, `${origin}/length`],
      { input: words[1] === '-' ? readFileSync(file) : undefined });
      assert.equal(stdout, String(n), `${origin} ${words} ${stderr}`);
    }
  }
  await box.end();
});

test('any protocol passes at a tcp port, with ends that end one by one', async () => {
  const box = await doors.box(['tcp://echo.acme.net:7000'], { ports: [7000] });
  const piece = 'x'.repeat(100_000);
  const { text } = await box.speak('echo.acme.net', 7000, Array(10).fill(piece),
    { end: true });
  assert.equal(text.length, 1_000_000);
  const event = await box.event();
  assert.deepEqual([event.end, event.in, event.out, event.scheme],
    ['OK', 1_000_000, 1_000_000, 4]);
  await box.end();
});

test('an address that a rule names is dialled as such', async () => {
  const box = await doors.box(['45.83.7.3:7000', '45.83.7.1:80'],
    { ports: [80, 7000], addresses: ['45.83.7.1', '45.83.7.3'] });
  const { text } = await box.speak('45.83.7.3', 7000, 'hello', { end: true });
  assert.equal(text, 'hello');
  const { stdout } = await box.curl('http://45.83.7.1/text');
  assert.equal(stdout, 'hello');
  await box.end();
});

test('git over https', async (t) => {
  const backend = execFileSync('git', ['--exec-path'], { encoding: 'utf8' })
    .trim() + '/git-http-backend';
  if (!existsSync(backend)) return t.skip('there is no git-http-backend');
  const root = doors.folder('repositories');
  const git = (...words) => execFileSync('git', ['-c', 'user.name=a', '-c',
    'user.email=a@acme.net', ...words], { cwd: root, stdio: 'pipe' });
  git('init', '-q', '--bare', 'one.git');
  git('-C', 'one.git', 'config', 'http.receivepack', 'true');
  await world.name('git.acme.net', { a: ['45.83.7.4'] });
  await world.https('git.acme.net', { address: '45.83.7.4', h2: false,
    handler: new Function('{ request, response }', `
      const { spawn } = process.getBuiltinModule('child_process');
      const [path, query] = request.url.split('?');
      const child = spawn(${JSON.stringify(backend)}, { env: { ...process.env,
        GIT_PROJECT_ROOT: ${JSON.stringify(root)}, GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path, QUERY_STRING: query ?? '',
        REQUEST_METHOD: request.method, REMOTE_USER: 'a', REMOTE_ADDR: 'x',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        HTTP_GIT_PROTOCOL: request.headers['git-protocol'] ?? '' } });
      request.pipe(child.stdin);
      let head = Buffer.alloc(0), isHead = true;
      child.stdout.on('data', (bytes) => {
        if (!isHead) { response.write(bytes); return; }
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\\r\\n\\r\\n');
        if (end < 0) return;
        isHead = false;
        for (const line of head.subarray(0, end).toString().split('\\r\\n')) {
          const [name, value] = line.split(': ');
          if (name === 'Status') response.statusCode = parseInt(value);
          else response.setHeader(name, value);
        }
        response.write(head.subarray(end + 4));
      });
      child.stdout.on('end', () => response.end());`) });
  const work = join(root, 'work');
  const rules = { passed: ['https://git.acme.net'],
    seen: ['https://git.acme.net/one.git/'] };
  for (const [name, list] of Object.entries(rules)) {
    const box = await doors.box(list);
    const run = async (...words) => {
      const { code, stderr } = await box.run(['git', '-c', 'user.name=a', '-c',
        'user.email=a@acme.net', ...words],
      { env: { GIT_SSL_CAINFO: doors.trust } });
      assert.equal(code, 0, `${name}: git ${words.join(' ')}: ${stderr}`);
    };
    const clone = `${work}-${name}`;
    await run('clone', '-q', 'https://git.acme.net/one.git', clone);
    writeFileSync(join(clone, name), Buffer.alloc(3_000_000, name));
    await run('-C', clone, 'add', '.');
    await run('-C', clone, 'commit', '-qm', name);
    await run('-C', clone, 'push', '-q', 'origin', `HEAD:${name}`);
    await run('-C', clone, 'fetch', '-q');
    await box.end();
  }
  assert.match(git('-C', 'one.git', 'ls-tree', '--name-only', 'seen')
    .toString(), /seen/);
});

test('psql speaks to a PostgreSQL', async (t) => {
  const bin = '/usr/lib/postgresql/15/bin';
  if (!existsSync(bin)) return t.skip('there is no PostgreSQL 15');
  const data = doors.folder('postgres');
  // Not as root, which it refuses.
  const asUser = process.getuid() === 0
    ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--']
    : [];
  if (asUser.length > 0) execFileSync('chown', ['65534:65534', data]);
  chmodSync(data, 0o700);
  execFileSync([...asUser, `${bin}/initdb`][0], [...asUser, `${bin}/initdb`,
    '-A', 'trust', '-U', 'a', '-D', data, '--no-sync'].slice(1),
  { cwd: '/', stdio: 'ignore' });
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 trust\n');
  await world.name('db.acme.net', { a: ['45.83.7.5'] });
  await world.program(['sh', '-c', 'cd / && exec "$@" 2>&1', 'sh', ...asUser,
    `${bin}/postgres`, '-D', data, '-c', 'listen_addresses=45.83.7.5', '-c',
    'unix_socket_directories=', '-c', 'fsync=off']);
  const box = await doors.box(['db.acme.net:5432'], { ports: [5432] });
  const psql = (sql) => box.run(['psql', '-X', '-A', '-t', '-h', 'db.acme.net',
    '-U', 'a', 'postgres', '-c', sql]);
  await until('the database', async () =>
    (await psql('select 1')).stdout === '1\n');
  const { stdout, stderr } = await psql(
    'select sum(length(repeat(\'x\', 1000))) from generate_series(1, 5000)');
  assert.equal(stdout, '5000000\n', stderr);
  const large = await psql('select repeat(\'x\', 3000000)');
  assert.equal(large.stdout.length, 3_000_001);
  const other = await box.run(['psql', '-X', '-h', 'db2.acme.net', '-U', 'a',
    'postgres']);
  assert.match(other.stderr, /could not translate host name/);
  await box.end();
});

test('when the rules change, what is under way ends, and what is new is new', async () => {
  const box = await doors.box(['tcp://echo.acme.net:7000'], { ports: [7000] });
  const under = box.speak('echo.acme.net', 7000, 'x', { end: false });
  await until('the connection', async () => (await world.connections())
    .some(({ port, open }) => port === 7000 && open));
  await doors.egress.server(box.id, { rules: ['api.acme.net'] });
  const { text } = await under;
  assert.equal(text, 'x');
  assert.match((await box.event()).text, /rules have changed/);
  const again = await box.speak('echo.acme.net', 7000, 'x');
  assert.equal(again.text, '');
  assert.equal((await box.curl('http://api.acme.net/text')).code, 7); // no port 80
  await doors.egress.tell('gone', box.id);
  const gone = await box.curl('https://api.acme.net/text');
  assert.equal(gone.code, 6);
  await box.end();
});

test('when a box ends, everything of it ends', async () => {
  const before = doors.egress.descriptors;
  const box = await doors.box(['api.acme.net', 'tcp://echo.acme.net:7000',
    'https://see.acme.net/text'], { ports: [80, 443, 7000] });
  const clients = [box.speak('echo.acme.net', 7000, 'x', { end: false }),
    box.speak('api.acme.net', 80, 'GET /events HTTP/1.1\r\n' +
      'Host: api.acme.net\r\n\r\n'),
    box.speak('api.acme.net', 443, 'not yet'),
    box.curl('https://see.acme.net/text')];
  await until('the connections', async () => (await world.connections())
    .filter(({ open, port }) => open && port !== 443).length >= 2);
  await clients[3];
  // Six listeners, and the connections of two, at both ends.
  await until('what it has open', () => doors.egress.descriptors >= before + 8);
  await box.end();
  await Promise.all(clients);
  // What fetches keep of connections for the server's next box stays a while.
  await until('all to be closed', () => doors.egress.descriptors <= before + 4);
  await until('the origins to see it', async () => (await world.connections())
    .every(({ open, port }) => !open || port !== 7000));
});

test('the authority is made once, and for its owner', () => {
  const folder = doors.folder('made');
  const make = () => execFileSync(join(build, 'cordon-egress'),
    ['--authority', folder]);
  make();
  const key = readFileSync(join(folder, 'key.pem'), 'utf8');
  const cert = readFileSync(join(folder, 'cert.pem'), 'utf8');
  make();
  assert.equal(readFileSync(join(folder, 'key.pem'), 'utf8'), key);
  assert.equal(readFileSync(join(folder, 'cert.pem'), 'utf8'), cert);
  assert.equal(statSync(join(folder, 'key.pem')).mode & 0o777, 0o600);
  const text = execFileSync('openssl', ['x509', '-in', join(folder, 'cert.pem'),
    '-noout', '-text'], { encoding: 'utf8' });
  assert.match(text, /CA:TRUE, pathlen:0/);
  // A half that is lost is no authority.
  writeFileSync(join(folder, 'cert.pem'), 'nonsense');
  make();
  assert.notEqual(readFileSync(join(folder, 'key.pem'), 'utf8'), key);
});
