// SPDX-License-Identifier: Apache-2.0

// The test network itself: what the attacks on egress are aimed at works where
// nothing stands between.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { METADATA, World } from '../lib/world.mjs';

let world;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
});
after(() => world.stop());

const curl = (...words) => world.run(['curl', '-sS', '--max-time', '20', ...words]);

test('a name leads to an origin, over http, https and HTTP/2', async () => {
  const http = await curl('http://api.acme.net/echo?x=1');
  assert.equal(JSON.parse(http.stdout).url, '/echo?x=1', http.stderr);
  const https = await curl('https://api.acme.net/echo');
  assert.equal(JSON.parse(https.stdout).version, '2.0', https.stderr);
  const one = await curl('--http1.1', 'https://api.acme.net/echo');
  assert.equal(JSON.parse(one.stdout).version, '1.1', one.stderr);
  const seen = await world.connections();
  assert.deepEqual(seen.map(({ port, sni, alpn }) => ({ port, sni, alpn })), [
    { port: 80, sni: undefined, alpn: undefined },
    { port: 443, sni: 'api.acme.net', alpn: 'h2' },
    { port: 443, sni: 'api.acme.net', alpn: 'http/1.1' },
  ]);
  const requests = await world.requests();
  assert.deepEqual(requests.map(({ connection }) => connection), [0, 1, 2]);
});

test('Node and Python get there too, untold', async () => {
  const script = 'fetch("https://api.acme.net/text?say=node")' +
    '.then((r) => r.text()).then(console.log)';
  const node = await world.run([process.execPath, '-e', script]);
  assert.equal(node.stdout, 'node\n', node.stderr);
  const python = await world.run(['/usr/bin/env', 'python3', '-c',
    'import urllib.request as u;' +
    'print(u.urlopen("https://api.acme.net/text?say=python").read().decode())']);
  assert.equal(python.stdout, 'python\n', python.stderr);
});

test('private, link-local and public addresses all lead there', async () => {
  const say = ({ response, connection }) => response.end(connection.address);
  for (const address of ['10.0.0.5', METADATA, '192.168.1.1', '168.63.129.16',
    '93.184.216.34', '100.64.0.1', '198.18.0.7', '240.0.0.1']) {
    await world.http('inner', { address, handler: say });
    const { stdout, stderr } = await curl(`http://${address}/`);
    assert.equal(stdout, address, stderr);
  }
});

test('IPv6 addresses lead there', async (t) => {
  if (!world.hasV6) return t.skip('the kernel has no IPv6');
  const say = ({ response, connection }) => response.end(connection.address);
  for (const address of ['2606:2800:220:1::1', 'fd00:ec2::254', '64:ff9b::a00:5',
    '2002:a00:5::1']) {
    await world.http('inner', { address, handler: say });
    const { stdout, stderr } = await curl(`http://[${address}]/`);
    assert.equal(stdout, address, stderr);
  }
});

test('names can change, lie, and be many', async () => {
  await world.name('rebind.acme.net', [{ a: ['45.83.7.1'] }, { a: ['10.0.0.5'] }]);
  for (const address of ['45.83.7.1', '10.0.0.5', '10.0.0.5']) {
    const { stdout } = await world.run(['getent', 'ahostsv4', 'rebind.acme.net']);
    assert.equal(stdout.split(' ')[0], address);
  }
  await world.name('inside.acme.net', { cname: 'rebind.acme.net' });
  const { stdout } = await world.run(['getent', 'ahostsv4', 'inside.acme.net']);
  assert.match(stdout, /^10\.0\.0\.5 /);
  await world.name('big.acme.net', { pad: 60, truncate: true });
  const big = await world.run(['getent', 'ahostsv4', 'big.acme.net']);
  assert.match(big.stdout, /^45\.83\.100\./, 'asked again over TCP');
  const none = await world.run(['getent', 'ahostsv4', 'none.acme.net']);
  assert.equal(none.stdout, '');
});

test('a certificate can be wrong', async () => {
  await world.name('old.acme.net', { a: ['45.83.7.2'] });
  await world.https('old.acme.net', { address: '45.83.7.2', days: -1 });
  assert.match((await curl('https://old.acme.net/')).stderr, /expired/);
  await world.name('wrong.acme.net', { a: ['45.83.7.3'] });
  await world.https('wrong.acme.net', { address: '45.83.7.3',
    certificate: ['right.acme.net'] });
  assert.match((await curl('https://wrong.acme.net/')).stderr, /subject name/);
  await world.name('unknown.acme.net', { a: ['45.83.7.4'] });
  await world.https('unknown.acme.net', { address: '45.83.7.4',
    authority: 'other' });
  assert.match((await curl('https://unknown.acme.net/')).stderr,
    /unable to get local issuer|self-signed/);
});

test('bare TCP, and addresses where nobody answers', async () => {
  await world.tcp('raw', { address: '45.83.7.5', port: 5432, say: 'hello\n',
    then: 'close' });
  const python = 'import socket,sys;' +
    's=socket.create_connection((sys.argv[1],5432),1);print(s.recv(9))';
  const said = await world.run(['python3', '-c', python, '45.83.7.5']);
  assert.match(said.stdout, /hello/);
  await world.silence('45.83.7.6');
  const none = await world.run(['python3', '-c', python, '45.83.7.6']);
  assert.match(none.stderr, /timed out/);
});
