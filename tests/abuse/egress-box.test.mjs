// SPDX-License-Identifier: Apache-2.0

// A program in a box that may reach one host tries everything else, by every
// door: directly, over the HTTP proxy, by CONNECT, over SOCKS.

import { CREDENTIALS, loopback, World } from './egress.mjs';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';
import { privateV4, privateV6, urls } from './egress-corpus.mjs';

// Lines in: WAY =TARGET (base64). Lines out: the way, the target and what came.
const PROGRAM = `
import base64, socket, struct, sys

def talk(s, data):
    s.sendall(data)
    got = b""
    while len(got) < 4000:
        piece = s.recv(4000)
        if not piece: break
        got += piece
    return got

def door(port):
    return socket.create_connection(("198.18.0.1", port), 3)

def request(host):
    return b"GET / HTTP/1.1\\r\\nHost: " + host + b"\\r\\nConnection: close\\r\\n\\r\\n"

def direct(host):
    return talk(socket.create_connection((host.decode(), 80), 1), request(host))

def proxy(url):
    host = url.split(b"/")[2] if url.count(b"/") > 1 else url
    return talk(door(3128), b"GET " + url + request(host)[5:])

def connect(host):
    if b":" in host: host = b"[" + host + b"]"
    s = door(3128)
    s.sendall(b"CONNECT " + host + b":80 HTTP/1.1\\r\\nHost: " + host + b":80\\r\\n\\r\\n")
    head = s.recv(4000)
    if b" 200" not in head: return head + b" refused"
    return talk(s, request(host))

def socks(host):
    s = door(1080)
    s.sendall(b"\\x05\\x01\\x00")
    s.recv(2)
    s.sendall(b"\\x05\\x01\\x00\\x03" + bytes([len(host)]) + host + struct.pack(">H", 80))
    said = s.recv(10)
    if said[1:2] != b"\\x00": return b"refused"
    return talk(s, request(host))

def number(host):
    family = socket.AF_INET6 if b":" in host else socket.AF_INET
    raw = socket.inet_pton(family, host.decode())
    s = door(1080)
    s.sendall(b"\\x05\\x01\\x00")
    s.recv(2)
    s.sendall(b"\\x05\\x01\\x00" + (b"\\x04" if b":" in host else b"\\x01") + raw + struct.pack(">H", 80))
    said = s.recv(10)
    if said[1:2] != b"\\x00": return b"refused"
    return talk(s, request(host))

socket.setdefaulttimeout(3)
ways = { "direct": direct, "proxy": proxy, "connect": connect, "socks": socks, "number": number }
for line in open(sys.argv[1]):
    way, target = line.split()
    try:
        got = ways[way](base64.b64decode(target[1:]))
    except Exception as e:
        got = str(e).encode()
    stolen = b"${CREDENTIALS}" in got
    print(way, target, "stolen" if stolen else "hello" if b"hello" in got else "nothing", flush=True)
`;

let world;
let own;
let program;
before(async () => {
  world = await World.start();
  await world.http('any', { address: '::', handler: ({ connection, response }) =>
    response.end(connection.address === '45.83.7.1' ? 'hello'
      : 'AKIA-THE-CROWN-JEWELS') });
  await world.name('api.acme.net', { a: ['45.83.7.1'] });
  own = await loopback();
  program = join(world.folder, 'program.py');
  writeFileSync(program, PROGRAM);
});
after(async () => {
  await own.close();
  await world.stop();
});

let n = 0;
async function tries(all, { isBoxed = true } = {}) {
  n += 1;
  const list = join(world.folder, `list-${n}`);
  writeFileSync(list, all.map(([way, target]) =>
    `${way} =${Buffer.from(target).toString('base64')}\n`).join(''));
  const box = isBoxed ? [cordon, 'wrap', '--profile', 'none', '--read',
    world.folder, '--net', 'http://api.acme.net', '--policy', policy(), '--'] : [];
  const { stdout, stderr } = await world.run([...box, '/usr/bin/python3',
    program, list], { timeout: 100_000 });
  const came = stdout.trim().split('\n').map((line) => {
    const [way, target, what] = line.split(' ');
    return { way, target: Buffer.from(target.slice(1), 'base64').toString(), what };
  });
  assert.equal(came.length, all.length, stderr.slice(-500));
  return came;
}

function policy() {
  const path = join(world.folder, 'policy.json');
  writeFileSync(path, JSON.stringify({ network: { requestsPerMinute: 1_000_000 } }));
  return path;
}

const stolen = (came) => came.filter(({ what }) => what === 'stolen');

test('what is granted is reached by each door', async () => {
  const came = await tries([['direct', 'api.acme.net'],
    ['proxy', 'http://api.acme.net/'], ['connect', 'api.acme.net'],
    ['socks', 'api.acme.net']]);
  assert.deepEqual(came.map(({ what }) => what), Array(4).fill('hello'),
    JSON.stringify(came));
});

test('control: outside of the box the rest is reached, too', async () => {
  const all = ['169.254.169.254', '10.0.0.5', '192.168.1.1', '127.0.0.1'];
  const came = await tries(all.map((host) => ['direct', host]),
    { isBoxed: false });
  assert.equal(stolen(came).length, all.length, JSON.stringify(came));
});

test('no address that is not public is reached by any door', async () => {
  await world.forget();
  own.seen.length = 0;
  const silent = /^(22[4-9]|23\d|255\.255\.255\.255)/;
  const all = [...privateV4, ...privateV6];
  const came = await tries(all.flatMap((host) => [
    ...silent.test(host) ? [] : [['direct', host]], ['connect', host],
    ['socks', host], ['number', host]]));
  assert.deepEqual(stolen(came), []);
  assert.deepEqual(own.seen, []);
  assert.deepEqual(await world.connections(), []);
});

test('no URL of the collections leads anywhere through the proxy', async () => {
  await world.forget();
  own.seen.length = 0;
  const all = urls('api.acme.net').filter(({ url }) => url.length < 4000);
  const came = await tries(all.map(({ url }) => ['proxy', url]));
  assert.deepEqual(stolen(came), []);
  assert.deepEqual(own.seen, []);
  const led = (await world.connections())
    .filter(({ address }) => address !== '45.83.7.1');
  assert.deepEqual(led, []);
});

test('names that rebind or lead inside are reached by no door', async () => {
  await world.name('api.acme.net', [{ a: ['45.83.7.1'], ttl: 0 },
    { a: ['169.254.169.254'], ttl: 0 }]);
  await world.forget();
  own.seen.length = 0;
  const once = [['direct', 'api.acme.net'], ['proxy', 'http://api.acme.net/'],
    ['connect', 'api.acme.net'], ['socks', 'api.acme.net']];
  const came = await tries([...once, ...once, ...once]);
  assert.deepEqual(stolen(came), []);
  const led = (await world.connections())
    .filter(({ address }) => address !== '45.83.7.1');
  assert.deepEqual(led, []);
  await world.name('api.acme.net', { a: ['45.83.7.1'] });
});
