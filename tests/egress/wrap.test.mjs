// SPDX-License-Identifier: Apache-2.0

// `cordon wrap` with a way out: programs that know nothing of it reach what a
// rule names, and nothing else; what was refused is told, with what grants it.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync,
  readSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { start as startBox, users } from '../lib/box.mjs';
import { cordon, node } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const SECRET = 'sk-live-8f1c2d3e4b5a69788796a5b4c3d2e1f0';
let world;
let folder;
const children = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-way-'));
  chmodSync(folder, 0o755);
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('old.acme.net', '45.83.7.2', { h2: false });
  await world.site('other.net', '45.83.7.3');
  await world.site('inner.acme.net', '10.0.0.5');
  await world.name('db.acme.net', { a: ['45.83.7.4'] });
  await world.tcp('db.acme.net', { address: '45.83.7.4', port: 5432,
    then: 'echo' });
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function stateOf(user) {
  const state = join(folder, user.replace(' ', '-'));
  mkdirSync(state, { recursive: true });
  if (process.getuid() === 0) chmodSync(state, 0o777);
  return state;
}

function begin(user, words, { env, ...more } = {}) {
  const child = startBox(user, words,
    { ...more, env: { CORDON_STATE: stateOf(user), ...env } });
  children.push(child);
  return child;
}

async function run(user, words, more) {
  const child = begin(user, words, more);
  const { code, signal } = await child.ended;
  return { code, signal, ...child.heard };
}

async function learn(user, words, state) {
  const child = spawn(cordon, ['learn', ...words], { ...users[user], cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent',
      CORDON_STATE: state } });
  children.push(child);
  let stderr = '';
  child.stderr.on('data', (bytes) => { stderr += bytes; });
  const code = await new Promise((done) => child.on('close', done));
  return { code, stderr };
}

// Whether what a process may write holds the text. What the kernel does not give
// out is passed over.
function memoryHolds(pid, text) {
  const chunk = Buffer.alloc(1 << 20);
  const overlap = text.length - 1;
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  const holds = (from, to) => {
    for (let at = from; at < to; at += chunk.length - overlap) {
      let n = 0;
      try {
        n = readSync(fd, chunk, 0, Math.min(chunk.length, to - at), at);
      } catch (error) {
        if (error.code !== 'EIO') throw error;
      }
      if (chunk.subarray(0, n).includes(text)) return true;
    }
    return false;
  };
  const areas = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
    .filter((line) => /^\S+ rw/.test(line))
    .map((line) => line.split(/[- ]/, 2).map((hex) => parseInt(hex, 16)));
  try {
    assert.ok(areas.length > 0, `process ${pid} has memory`);
    return areas.some(([from, to]) => holds(from, to));
  } finally {
    closeSync(fd);
  }
}

const curl = (...words) => ['--', 'curl', '-sS', '--max-time', '20', ...words];
const direct = ['--noproxy', '*'];
const script = (text, ...words) => ['--profile', 'node', '--', node, '-e', text,
  ...words];

for (const user of Object.keys(users)) {
  describe(`as ${user}`, () => {
    for (const url of ['http://api.acme.net', 'https://api.acme.net',
      'https://old.acme.net', 'http://old.acme.net']) {
      for (const [how, words] of [['by itself', direct], ['by the proxy', []]]) {
        test(`curl reaches ${url} ${how}`, async () => {
          const { code, stdout, stderr } = await run(user,
            ['--net', '*.acme.net', ...curl(...words, `${url}/echo?x=1`)]);
          assert.equal(code, 0, stderr);
          assert.equal(stderr, '');
          assert.equal(JSON.parse(stdout).url, '/echo?x=1');
        });
      }
    }

    test('curl reaches a host by SOCKS', async () => {
      const { code, stdout, stderr } = await run(user, ['--net', 'api.acme.net',
        ...curl('--proxy', 'socks5h://198.18.0.1:1080',
          'https://api.acme.net/text')]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, 'hello');
    });

    test('Node\'s fetch reaches a host', async () => {
      const { code, stdout, stderr } = await run(user, ['--net', 'api.acme.net',
        '--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
        ...script(`fetch('https://api.acme.net/text').then((r) => r.text())
          .then((t) => console.log(t))`)]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, 'hello\n');
    });

    test('Python\'s urllib reaches a host', async () => {
      const text = 'import urllib.request as r; ' +
        'print(r.urlopen("https://api.acme.net/text").read().decode())';
      const { code, stdout, stderr } = await run(user,
        ['--net', 'api.acme.net', '--', '/usr/bin/python3', '-c', text]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, 'hello\n');
    });

    test('any program of TCP reaches a port', async () => {
      const { code, stdout, stderr } = await run(user,
        ['--net', 'db.acme.net:5432', '--', 'bash', '-c',
          'exec 3<>/dev/tcp/db.acme.net/5432; echo ping >&3; head -1 <&3']);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, 'ping\n');
    });

    test('an address is reached by a rule of its own', async () => {
      const words = ['--', 'bash', '-c',
        'exec 3<>/dev/tcp/45.83.7.4/5432; echo ping >&3; head -1 <&3'];
      const allowed = await run(user, ['--net', '45.83.7.4:5432', ...words]);
      assert.equal(allowed.stdout, 'ping\n', allowed.stderr);
      const denied = await run(user, words);
      assert.notEqual(denied.code, 0);
      assert.match(denied.stderr, /net {5}connect 45\.83\.7\.4:5432/);
      assert.match(denied.stderr, /granted by --net 45\.83\.7\.4:5432/);
    });

    test('what no rule names is refused, and told with what grants it', async () => {
      const { code, stderr } = await run(user, ['--net', 'api.acme.net',
        ...curl(...direct, 'https://other.net/text')]);
      assert.equal(code, 6);
      assert.match(stderr, /Could not resolve host: other\.net/);
      assert.match(stderr, /the box refused\n {2}net {5}other\.net: no rule/);
      assert.match(stderr, /granted by --net other\.net\n/);
      // The control: that grants it.
      assert.equal((await run(user, ['--net', 'other.net',
        ...curl(...direct, 'https://other.net/text')])).stdout, 'hello');
    });

    test('what is denied is granted by no option', async () => {
      const policy = join(stateOf(user), 'denied.json');
      writeFileSync(policy, JSON.stringify({ network: {
        allowedDomains: ['*.acme.net'], deniedDomains: ['old.acme.net'] } }));
      const { code, stderr } = await run(user, ['--policy', policy,
        ...curl('https://old.acme.net/text')]);
      assert.notEqual(code, 0);
      assert.match(stderr, /net {5}old\.acme\.net:443: .*denies it/);
      assert.doesNotMatch(stderr, /granted by/);
    });

    test('a refusal as JSON', async () => {
      const { stderr } = await run(user, ['--json', '--net', 'api.acme.net',
        ...curl('https://other.net/text')]);
      const said = stderr.split('\n').filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)).find(({ kind }) => kind === 'net');
      assert.equal(said.to, 'other.net:443');
      assert.match(said.why, /no rule allows/);
      assert.deepEqual(said.grant, ['--net', 'other.net']);
    });

    test('a name that leads inside leads nowhere, and nothing grants it', async () => {
      const url = 'http://inner.acme.net/text';
      const control = await world.run(['curl', '-sS', '--max-time', '20', url]);
      assert.equal(control.stdout, 'hello');
      for (const how of [[], direct]) {
        const { stdout, stderr } = await run(user, ['--net', '*.acme.net',
          ...curl(...how, url)]);
        assert.doesNotMatch(stdout, /hello/);
        assert.match(stderr, /net {5}inner\.acme\.net:80: .*10\.0\.0\.5/);
        assert.doesNotMatch(stderr, /granted by/);
      }
    });

    test('a port of this machine, where it is granted', async (t) => {
      const server = createServer((socket) => socket.end('local\n'));
      t.after(() => server.close());
      await new Promise((done) => server.listen(0, '127.0.0.1', done));
      const { port } = server.address();
      const words = ['--', 'bash', '-c',
        `exec 3<>/dev/tcp/127.0.0.1/${port}; head -1 <&3`];
      const granted = await run(user, ['--net', `localhost:${port}`, ...words]);
      assert.equal(granted.stdout, 'local\n', granted.stderr);
      const denied = await run(user, ['--net', 'api.acme.net', ...words]);
      assert.notEqual(denied.code, 0);
      assert.equal(denied.stdout, '');
      // Not by the listener of another rule of that port, either.
      const other = await run(user, ['--net', `api.acme.net:${port}`, ...words]);
      assert.equal(other.stdout, '');
    });

    test('a path is granted, and others are not', async () => {
      const rule = ['--net', 'https://api.acme.net/text/'];
      const url = 'https://api.acme.net';
      const allowed = await run(user,
        [...rule, ...curl(...direct, `${url}/text/?say=yes`)]);
      assert.equal(allowed.code, 0, allowed.stderr);
      assert.equal(allowed.stdout, 'yes');
      const denied = await run(user, [...rule, ...curl(...direct, `${url}/echo`)]);
      assert.doesNotMatch(denied.stdout, /"url"/);
      assert.match(denied.stderr, /net {5}api\.acme\.net:443: .*does not allow/);
      assert.match(denied.stderr, /granted by --net https:\/\/api\.acme\.net\/echo\n/);
      const byNode = await run(user, [...rule, ...script(
        `fetch('${url}/text/?say=node').then((r) => r.text())
          .then((t) => console.log(t))`)]);
      assert.equal(byNode.stdout, 'node\n', byNode.stderr);
    });

    test('the other scheme is not granted, and says so', async () => {
      for (const [granted, asked, port] of [['https', 'http', 80], ['http', 'https', 443]]) {
        const { stdout, stderr } = await run(user, ['--net', `${granted}://api.acme.net`,
          ...curl(...direct, `${asked}://api.acme.net/text`)]);
        assert.doesNotMatch(stdout, /hello/);
        assert.match(stderr, new RegExp(`net {5}api\\.acme\\.net:${port}: ` +
          `no rule allows ${asked}://api\\.acme\\.net: `));
      }
    });

    test('methods of a policy are obeyed', async () => {
      const policy = join(stateOf(user), 'methods.json');
      writeFileSync(policy, JSON.stringify({ network: { rules: [
        { url: 'https://api.acme.net/', methods: ['GET'] }] } }));
      const url = 'https://api.acme.net/echo';
      const got = await run(user, ['--policy', policy, ...curl(url)]);
      assert.equal(JSON.parse(got.stdout || '{}').method, 'GET', got.stderr);
      const put = await run(user,
        ['--policy', policy, ...curl('-X', 'PUT', '-d', 'x', url)]);
      assert.doesNotMatch(put.stdout, /"method"/);
      assert.match(put.stderr, /net {5}api\.acme\.net:443: /);
    });

    test('srt\'s settings reach what they name', async () => {
      const settings = join(stateOf(user), 'srt.json');
      writeFileSync(settings, JSON.stringify({
        network: { allowedDomains: ['api.acme.net'], deniedDomains: [] },
        filesystem: { denyRead: [], allowWrite: [], denyWrite: [] } }));
      const { stdout, stderr } = await run(user, ['--settings', settings,
        ...curl('https://api.acme.net/text')]);
      assert.equal(stdout, 'hello', stderr);
    });

    describe('a secret', () => {
      const bound = ['--net', 'api.acme.net', '--net', 'other.net',
        '--secret', 'API_KEY=api.acme.net'];
      const env = { API_KEY: SECRET };

      test('is a placeholder inside, and its value at its host', async () => {
        await world.forget();
        const { code, stdout, stderr } = await run(user, [...bound, '--', 'sh', '-c',
          'env; curl -sS -m 20 -H "Authorization: Bearer $API_KEY" ' +
          'https://api.acme.net/echo'], { env });
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^API_KEY=cordon-secret-API_KEY$/m);
        assert.doesNotMatch(stdout + stderr, new RegExp(SECRET));
        const [request] = await world.requests();
        assert.match(JSON.stringify(request), new RegExp(`Bearer ${SECRET}`));
      });

      test('does not go to another host', async () => {
        await world.forget();
        const { stdout, stderr } = await run(user, [...bound, '--', 'sh', '-c',
          'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" ' +
          'https://other.net/echo'], { env });
        assert.doesNotMatch(JSON.stringify(await world.requests()) + stdout +
          stderr, new RegExp(SECRET));
      });

      test('is in no process of the box', async () => {
        const child = begin(user, [...bound, '--', 'sh', '-c',
          'echo up; read never'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
        await until('the box', () => child.heard.stdout.includes('up'));
        // The control: egress has it, once it has read its settings.
        const egress = await until('egress to have it', () => treeOf(child.pid)
          .find(({ pid, name }) => name === 'cordon-egress' && memoryHolds(pid, SECRET)));
        const inside = treeOf(child.pid).filter(({ pid }) => pid !== egress.pid);
        assert.ok(inside.length >= 3);
        for (const { pid, name } of inside) {
          const words = readFileSync(`/proc/${pid}/environ`, 'latin1') +
            readFileSync(`/proc/${pid}/cmdline`, 'latin1');
          assert.ok(!words.includes(SECRET), name);
          assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'),
            /^Max core file size +1 +1 /m, name);
          assert.ok(!memoryHolds(pid, SECRET), `memory of ${name}`);
          assert.ok(memoryHolds(pid, 'cordon-secret-API_KEY'),
            `control: the placeholder is in ${name}`);
        }
        // Who holds it is none of those that hold the box.
        const uids = /^Uid:.*$/m.exec(readFileSync(`/proc/${egress.pid}/status`, 'utf8'));
        if (user === 'root') assert.match(uids[0], /^Uid:(\s1900000004){4}$/);
        child.stdin.end();
        await child.ended;
      });

      for (const [words, said, more] of [
        [['--secret', 'API_KEY'], /the host that it is for is missing/],
        [['--secret', 'API_KEY=api.acme.net'], /no rule lets anything go to/],
        [['--net', 'api.acme.net', '--secret', 'API_KEY=api.acme.net'],
          /the variable API_KEY is not set/, {}],
        [['--net', 'api.acme.net', '--secret', 'API_KEY=api.acme.net,cookie'],
          /neither header=NAME/],
        [['--net', 'api.acme.net', '--secret', 'API_KEY=sk-live-1'],
          /"sk-live-1" names/],
      ]) {
        test(`is asked for whole: ${words.at(-1)}`, async () => {
          const { code, stderr } = await run(user, [...words, '--', 'true'],
            { env: more ?? env });
          assert.equal(code, 2);
          assert.match(stderr, said);
        });
      }
    });

    test('when egress ends, everything is refused, and a line says so', async () => {
      const child = begin(user, ['--net', 'api.acme.net', '--', 'sh', '-c',
        'curl -sS -m 20 http://api.acme.net/text; echo; read go; ' +
        'curl -sS -m 20 http://api.acme.net/text; echo " code $?"'],
      { stdio: ['pipe', 'pipe', 'pipe'] });
      await until('the first answer',
        () => child.heard.stdout.includes('hello'));
      const egress = treeOf(child.pid)
        .find(({ name }) => name === 'cordon-egress');
      process.kill(egress.pid, 'SIGKILL');
      await until('the line', () => /way out has ended/.test(child.heard.stderr));
      child.stdin.end('\n');
      await child.ended;
      assert.match(child.heard.stdout, /^hello\n code [1-9]\d*\n$/);
    });

    test('nothing is left of it', async () => {
      const child = begin(user, ['--net', 'api.acme.net', '--', 'cat'],
        { stdio: ['pipe', 'pipe', 'pipe'] });
      await until('egress', () => treeOf(child.pid)
        .some(({ name }) => name === 'cordon-egress'));
      const pids = treeOf(child.pid).map(({ pid }) => pid);
      child.stdin.end();
      await child.ended;
      await until('its processes to be gone', () => pids.every((pid) => {
        try {
          process.kill(pid, 0);
        } catch (error) {
          return error.code === 'ESRCH';
        }
        return false;
      }));
    });

    test('learn proposes the hosts that were asked for', async () => {
      const output = join(stateOf(user), 'learnt.json');
      rmSync(output, { force: true });
      const state = stateOf(user);
      const learnt = await learn(user,
        ['-o', output, ...curl('https://other.net/text')], state);
      assert.match(learnt.stderr, /--net other\.net\n/);
      assert.deepEqual(JSON.parse(readFileSync(output, 'utf8')).network,
        { allowedDomains: ['other.net'] });
      const { stdout, stderr } = await run(user, ['--policy', output,
        ...curl('https://other.net/text')]);
      assert.equal(stdout, 'hello', stderr);
    });

    for (const [word, said] of [
      ['10.0.0.1', /never dialled/], ['localhost', /say which port/],
      ['metadata.google.internal', /never leads outside/],
      ['*', /every host cannot be allowed/], ['http://', /--net/],
    ]) {
      test(`--net ${word} is refused with a sentence`, async () => {
        const { code, stderr } = await run(user, ['--net', word, '--', 'true']);
        assert.equal(code, 2);
        assert.match(stderr, said);
      });
    }

    test('without --net there is no egress', async () => {
      const child = begin(user, ['--', 'sh', '-c', 'echo up; cat'],
        { stdio: ['pipe', 'pipe', 'pipe'] });
      await until('the box', () => child.heard.stdout.includes('up'));
      assert.ok(!treeOf(child.pid).some(({ name }) => name === 'cordon-egress'));
      child.stdin.end();
      assert.equal((await child.ended).code, 0);
    });
  });
}
