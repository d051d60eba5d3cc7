// SPDX-License-Identifier: Apache-2.0

// What a program finds on its standard streams is of the host: a socket there
// is of the host's network, and a terminal or pipe is shared with whoever had
// it before and has it afterwards.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { test } from 'node:test';
import { cordon } from '../lib/paths.mjs';

const python = '/usr/bin/python3';
const wrap = [cordon, 'wrap', '--'];

// Hangs up on the peer, and goes to another port of the host.
const reconnect = (port) => `
import ctypes, os, socket
s = socket.socket(fileno=0)
ctypes.CDLL(None).connect(0, bytes(16), 16)
s.connect(('127.0.0.1', ${port}))
os.write(1, s.recv(100))
`;

// Its end on standard input; what it said, and what the box said.
async function withSocket(words) {
  const secret = createServer((socket) => socket.end('host secret'));
  const door = createServer();
  for (const server of [secret, door]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const ours = connect(door.address().port, '127.0.0.1');
  const [peer] = await once(door, 'connection');
  peer.on('error', () => {});
  ours.on('error', () => {});
  const [command, ...rest] = words(reconnect(secret.address().port));
  const child = spawn(command, rest, { stdio: [ours, 'pipe', 'pipe'] });
  let out = '', err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  const [code] = await once(child, 'close');
  peer.destroy();
  ours.destroy();
  for (const server of [secret, door]) server.close();
  return { code, out, err };
}

test('without a box, a network socket on standard input leads to the host', async () => {
  const { out } = await withSocket((code) => [python, '-c', code]);
  assert.equal(out, 'host secret');
});

test('a network socket on a standard stream is refused', async () => {
  const { code, out, err } = await withSocket((text) => [...wrap, python, '-c', text]);
  assert.equal(out, '');
  assert.equal(code, 125);
  assert.match(err, /descriptor 0 is a socket .*out of the box/);
});

// By python: node has no datagram pair, and no listener that it hands down.
const hand = (make) => `
import socket, subprocess, sys
${make}
sys.exit(subprocess.run(sys.argv[1:], stdin=s, stderr=subprocess.STDOUT).returncode)
`;

for (const [name, make] of Object.entries({
  'a datagram socket of a pair': 's, t = socket.socketpair(type=socket.SOCK_DGRAM)',
  'a listener': 's = socket.socket(socket.AF_UNIX); s.bind("\\0cordon-streams"); s.listen()',
  'an unconnected socket': 's = socket.socket(socket.AF_UNIX)',
  'a netlink socket': 's = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)',
}))
  test(`${name} on a standard stream is refused`, () => {
    const { status, stdout } = spawnSync(python,
      ['-c', hand(make), ...wrap, 'true'], { encoding: 'utf8' });
    assert.match(stdout, /descriptor 0 is a socket .*out of the box/);
    assert.equal(status, 125);
  });

test('a connected stream pair, as hosts have it, is let through', () => {
  const { status, stdout } = spawnSync(python,
    ['-c', hand('s, t = socket.socketpair(); t.send(b"x"); t.shutdown(socket.SHUT_WR)'),
      ...wrap, 'cat'], { encoding: 'utf8' });
  assert.equal(stdout, 'x');
  assert.equal(status, 0);
});

// The interfaces of the network that a socket belongs to.
const interfaces = `
import array, fcntl, struct
b = array.array('B', bytes(4096))
r = fcntl.ioctl(0, 0x8912, struct.pack('iL', 4096, b.buffer_info()[0]))
n = struct.unpack('iL', r)[0]
print(*[bytes(b[i:i + 16]).split(b'\\0')[0].decode() for i in range(0, n, 40)])
`;
const paired = hand('s, t = socket.socketpair()');

test('a socket of the host does not tell of the host\'s network', () => {
  const outside = spawnSync(python,
    ['-c', paired, python, '-c', interfaces], { encoding: 'utf8' });
  const inside = spawnSync(python,
    ['-c', paired, ...wrap, python, '-c', interfaces], { encoding: 'utf8' });
  assert.match(outside.stdout, /^lo/);
  assert.match(inside.stdout, /PermissionError|OSError/);
});

// Flags of an open file belong to all who have it: a shell reads its terminal
// by the same one.
const flags = (words) => spawnSync(python, ['-c', `
import fcntl, os, subprocess, sys
m, s = os.openpty()
before = fcntl.fcntl(s, fcntl.F_GETFL)
subprocess.run(sys.argv[1:], stdin=s, stdout=s, stderr=s)
print(before ^ fcntl.fcntl(s, fcntl.F_GETFL))
`, ...words, python, '-c', `
import fcntl, os
fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)
`], { encoding: 'utf8' }).stdout.trim();

test('what a program sets on a terminal it shares is gone with it', () => {
  assert.notEqual(flags([]), '0');
  assert.equal(flags(wrap), '0');
});
