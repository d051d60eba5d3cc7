// SPDX-License-Identifier: Apache-2.0

// What comes out of a box and means something else than it says: names that
// disagree, requests that are read two ways, floods. Each with its control: the
// same from the world's inside, where nothing stands between.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PROXY, SELF, SOCKS } from '../lib/egress-box.mjs';
import { until } from '../lib/processes.mjs';
import { Doors, clientHello, extension, records, serverName, tlsAnswer } from
  './doors-host.mjs';

let doors, world, box;
before(async () => {
  doors = await Doors.start();
  world = doors.world;
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.acme.net', '45.83.7.2');
  await world.site('see.acme.net', '45.83.7.3');
  box = await doors.box(['api.acme.net', 'https://see.acme.net/text',
    'tcp://inner.acme.net:7000', 'tcp://mixed.acme.net:7000',
    'https://inner.acme.net',
    'http://inner.acme.net'], { ports: [80, 443, 7000] });
});
after(() => doors.stop());

const connectionsTo = async (name) =>
  (await world.connections()).filter((one) => one.name === name).length;

// The hello as it is, and from a box to the same host: [control, box].
async function hellos(host, message, max) {
  const pieces = records(message, max);
  return [tlsAnswer(await doors.speak(host, 443, pieces, { bytes: 7 })),
    tlsAnswer(await box.speak(host, 443, pieces, { bytes: 7 }))];
}

test('TLS that names another host, or none, or hides it, is refused', async () => {
  const good = serverName('api.acme.net');
  const cases = [
    ['another name', clientHello(serverName('other.acme.net'))],
    ['no name', clientHello()],
    ['ECH', clientHello(good, extension(0xfe0d, [0, 0, 1, 0, 1, 7]))],
    ['ESNI', clientHello(good, extension(0xffce, [0]))],
    ['a dot at the end', clientHello(serverName('api.acme.net.'))],
  ];
  for (const [what, message] of cases) {
    const before = await connectionsTo('api.acme.net');
    const [control, refused] = await hellos('api.acme.net', message);
    assert.equal(control, 'ServerHello', what);
    assert.equal(refused, 'unrecognized_name', what);
    // Before any dial: the control's connection is the only one.
    assert.equal(await connectionsTo('api.acme.net'), before + 1, what);
  }
  for (const name of ['api.acme.net\0', 'api.acme.net\0.other.acme.net',
    'api.acme.net:443', ' api.acme.net', 'xn--a', '45.83.7.1', '']) {
    const answer = tlsAnswer(await box.speak('api.acme.net', 443,
      records(clientHello(serverName(name))), { bytes: 7 }));
    assert.equal(answer, 'unrecognized_name', JSON.stringify(name));
  }
  const twice = clientHello(good, serverName('other.acme.net'));
  assert.equal(tlsAnswer(await box.speak('api.acme.net', 443, records(twice))),
    'unrecognized_name');
  await box.event(({ text, end }) => end === 12 && /ECH/.test(text));
});

test('a hello in pieces is read as the origin reads it', async () => {
  for (const max of [1, 3, 17]) {
    assert.deepEqual(await hellos('api.acme.net',
      clientHello(serverName('API.acme.NET')), max),
    ['ServerHello', 'ServerHello'], `records of ${max}`);
    assert.equal(tlsAnswer(await box.speak('api.acme.net', 443,
      records(clientHello(serverName('other.acme.net')), max))),
    'unrecognized_name');
  }
  const bytes = Buffer.concat(records(clientHello(serverName('api.acme.net'))));
  const packets = [...bytes].map((byte) => Buffer.from([byte]));
  assert.equal(tlsAnswer(await box.speak('api.acme.net', 443, packets,
    { bytes: 7 })), 'ServerHello');
});

test('what is no TLS does not pass where TLS is meant', async () => {
  for (const text of ['GET / HTTP/1.1\r\nHost: api.acme.net\r\n\r\n',
    'SSH-2.0-x\r\n', '\x80\x2e\x01\x00\x02', '\x16\x02\x00\x00\x01x']) {
    const before = await connectionsTo('api.acme.net');
    assert.equal(tlsAnswer(await box.speak('api.acme.net', 443, text)),
      'unrecognized_name', JSON.stringify(text));
    assert.equal(await connectionsTo('api.acme.net'), before);
  }
});

test('CONNECT, SNI and Host name one host, or nothing is dialled', async () => {
  const proxy = (...pieces) => box.speak(SELF, 3128, pieces);
  const tunnel = (host) => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const yes = 'HTTP/1.1 200 Connection established\r\n\r\n';
  const mixed = await proxy(tunnel('api.acme.net:443'),
    ...records(clientHello(serverName('other.acme.net'))));
  assert.equal(mixed.text.slice(0, yes.length), yes);
  assert.equal(tlsAnswer({ bytes: mixed.bytes.subarray(yes.length) }),
    'unrecognized_name');
  const inner = await proxy(tunnel('api.acme.net:80'),
    'GET /text HTTP/1.1\r\nHost: other.acme.net\r\nConnection: close\r\n\r\n');
  assert.match(inner.text.slice(yes.length), /^HTTP\/1\.1 421 /);
  const good = await proxy(tunnel('api.acme.net:80') +
    'GET /text HTTP/1.1\r\nHost: api.acme.net\r\nConnection: close\r\n\r\n');
  assert.match(good.text.slice(yes.length), /hello$/);
  const lines = ['CONNECT other.acme.net:443 HTTP/1.1\r\n\r\n',
    'CONNECT api.acme.net:443 HTTP/1.1\r\nHost: other.acme.net:443\r\n\r\n',
    'CONNECT api.acme.net:25 HTTP/1.1\r\n\r\n',
    'CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n',
    'CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1\r\n\r\n',
    `CONNECT ${SELF}:3128 HTTP/1.1\r\n\r\n`,
    'CONNECT localhost:443 HTTP/1.1\r\n\r\n',
    'CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n',
    'CONNECT api.acme.net HTTP/1.1\r\n\r\n'];
  for (const line of lines) {
    assert.match((await proxy(line)).text, /^HTTP\/1\.1 40[03] /, line);
  }
});

test('requests that are read two ways are refused', async () => {
  const ask = async (lines, { host = 'api.acme.net', port = 80 } = {}) => {
    const { text } = await box.speak(host, port, `${lines.join('\r\n')}\r\n\r\n`,
      { end: false, bytes: 16 });
    return text.slice(0, 12);
  };
  const good = ['GET /text HTTP/1.1', 'Host: api.acme.net'];
  assert.equal(await ask(good), 'HTTP/1.1 200');
  assert.equal(await ask(['GET /text HTTP/1.1', 'Host: API.acme.net:80']),
    'HTTP/1.1 200');
  const cases = {
    421: [['GET / HTTP/1.1', 'Host: other.acme.net'],
      ['GET / HTTP/1.1', 'Host: api.acme.net.'],
      ['GET / HTTP/1.1', 'Host: api.acme.net:443'],
      ['GET / HTTP/1.1', 'Host: api.acme.net@other.acme.net'],
      ['GET / HTTP/1.1', 'Host: 45.83.7.1'],
      ['GET / HTTP/1.1', 'Host:']],
    400: [[...good, 'Host: api.acme.net'], [...good, 'host: other.acme.net'],
      ['GET / HTTP/1.1'],
      ['GET http://other.acme.net/ HTTP/1.1', 'Host: other.acme.net'],
      ['GET http://other.acme.net/ HTTP/1.1', 'Host: api.acme.net'],
      ['POST / HTTP/1.1', good[1], 'Content-Length: 3',
        'Transfer-Encoding: chunked'],
      ['POST / HTTP/1.1', good[1], 'Content-Length: 3', 'Content-Length: 4'],
      ['POST / HTTP/1.1', good[1], 'Transfer-Encoding: chunked, identity'],
      ['GET /../x HTTP/1.1', good[1]], ['GET /%zz HTTP/1.1', good[1]]],
    501: [['TRACE / HTTP/1.1', good[1]],
      [...good, 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: x']],
  };
  const before = (await world.requests()).length;
  for (const [status, list] of Object.entries(cases)) {
    for (const lines of list) {
      assert.equal(await ask(lines), `HTTP/1.1 ${status}`, lines.join(' | '));
    }
  }
  // A line that is folded never becomes another header's.
  assert.notEqual(await ask(['GET / HTTP/1.1', 'Host: api.acme.net', ' x']),
    'HTTP/1.1 200');
  const proxy = { host: SELF, port: 3128 };
  assert.equal(await ask(['GET http://api.acme.net/text HTTP/1.1',
    'Host: other.acme.net'], proxy), 'HTTP/1.1 421');
  assert.equal(await ask(['GET http://other.acme.net/text HTTP/1.1',
    'Host: other.acme.net'], proxy), 'HTTP/1.1 403');
  assert.equal(await ask(good, proxy), 'HTTP/1.1 400');
  assert.equal(await ask(['GET https://api.acme.net/ HTTP/1.1',
    'Host: api.acme.net'], proxy), 'HTTP/1.1 400');
  assert.equal(await ask(['GET ftp://api.acme.net/ HTTP/1.1',
    'Host: api.acme.net'], proxy), 'HTTP/1.1 400');
  assert.equal((await world.requests()).length, before);
});

test('headers of one hop go no further', async () => {
  const { stdout } = await box.curl('-H', 'Connection: close, X-Hop', '-H',
    'X-Hop: 1', '-H', 'Proxy-Authorization: Basic eDp5', '-H', 'TE: gzip', '-H',
    'Upgrade: h2c', '-H', 'X-Stays: 1', 'http://api.acme.net/echo');
  const { names } = JSON.parse(stdout);
  for (const name of ['x-hop', 'proxy-authorization', 'te', 'upgrade']) {
    assert.equal(names[name], undefined, name);
  }
  assert.equal(names['x-stays'], '1');
});

test('inside of TLS that we end it is HTTP/1.1, and the same host', async () => {
  const h2 = await box.curl('--http2', '-w', '%{http_version}',
    'https://see.acme.net/text');
  assert.equal(h2.stdout, 'hello1.1', h2.stderr);
  const alone = clientHello(serverName('see.acme.net'),
    extension(16, [0, 3, 2, 0x68, 0x32]));
  assert.equal(tlsAnswer(await box.speak('see.acme.net', 443, records(alone))),
    'internal_error');
  const fronted = await box.curl('-H', 'Host: other.acme.net',
    '-w', '%{http_code}', 'https://see.acme.net/text');
  assert.match(fronted.stdout, /421$/);
  assert.match(fronted.stdout, /connection to see\.acme\.net:443/);
  const control = await world.run(['curl', '-sS', '-H', 'Host: other.acme.net',
    'https://see.acme.net/text']);
  assert.equal(control.stdout, 'hello');
});

test('a name that leads inside is not dialled, by any door', async () => {
  await world.name('inner.acme.net', { a: ['10.0.0.5'] });
  await world.http('inner.acme.net', { address: '10.0.0.5' });
  await world.https('inner.acme.net', { address: '10.0.0.5' });
  await world.tcp('inner.acme.net',
    { address: '10.0.0.5', port: 7000, say: 'secret' });
  assert.equal((await doors.speak('inner.acme.net', 7000, '', { bytes: 6 })).text,
    'secret');
  assert.equal((await box.speak('inner.acme.net', 7000, '')).text, '');
  const tls = await box.curl('https://inner.acme.net/text');
  assert.match(tls.stderr, /alert access denied/);
  const http = await box.curl('-w', '%{http_code}', 'http://inner.acme.net/text');
  assert.match(http.stdout, /10\.0\.0\.5[\s\S]*403$/);
  const socks = await box.curl('-x', `socks5h://${SOCKS}`,
    'telnet://inner.acme.net:7000');
  assert.match(socks.stderr, /\(2\)/);
  await until('four events', () => box.events().filter(({ host, end }) =>
    host === 'inner.acme.net' && end === 3).length === 4);
  assert.equal(await connectionsTo('inner.acme.net'), 1);
  // One good address among them does not help.
  await world.name('mixed.acme.net', { a: ['45.83.7.9', '10.0.0.5'] });
  await world.tcp('mixed.acme.net',
    { address: '45.83.7.9', port: 7000, say: 'hello!' });
  assert.equal((await doors.speak('45.83.7.9', 7000, '', { bytes: 6 })).text,
    'hello!');
  assert.equal((await box.speak('mixed.acme.net', 7000, '')).text, '');
  assert.equal(await connectionsTo('mixed.acme.net'), 1);
});

test('addresses that mean no name lead nowhere', async () => {
  for (const address of [SELF, '198.18.77.1', '198.19.255.255', '127.0.0.1',
    '127.8.9.10', '0.0.0.0']) {
    const { text } = await box.speak(address, 7000, 'x');
    assert.equal(text, '', address);
  }
  // The machine's own addresses are not in there at all.
  const own = await box.speak('45.83.0.1', 80, 'x');
  assert.equal(own.isConnected, false);
});

test('SOCKS takes names that are names, and nothing but CONNECT', async () => {
  const name = (text) => Buffer.concat([Buffer.from([5, 1, 0, 3, text.length]),
    Buffer.from(text, 'latin1'), Buffer.from([27, 88])]);
  const socks = async (request) =>
    (await box.speak(SELF, 1080, ['\x05\x01\x00', request], { bytes: 12 })).bytes;
  assert.equal((await socks(name('inner.acme.net')))[3], 2); // not at 10.0.0.5
  for (const bad of ['api.acme.net\0', 'api.acme.net\0.x', '', 'a b', 'a\nb',
    'api.acme.net.', '0x7f.1', '2130706433']) {
    assert.deepEqual([...await socks(name(bad))].slice(0, 4), [5, 0, 5, 2], bad);
  }
  assert.equal((await socks('\x05\x02\x00\x01\x2d\x53\x07\x01\x00\x50'))[3], 7);
  assert.equal((await socks('\x05\x03\x00\x01\x2d\x53\x07\x01\x00\x50'))[3], 7);
  assert.equal((await socks('\x05\x01\x00\x09\x2d\x53\x07\x01\x00\x50'))[3], 8);
  assert.equal((await socks('\x05\x01\x00\x01\x0a\x00\x00\x05\x1b\x58'))[3], 2);
  assert.equal((await socks('\x05\x01\x00\x01\x7f\x00\x00\x01\x1b\x58'))[3], 2);
  const user = await box.speak(SELF, 1080, '\x05\x01\x02');
  assert.deepEqual([...user.bytes], [5, 0xff]);
  assert.equal((await box.speak(SELF, 1080, '\x04\x01\x00\x50')).text, '');
});

const DNS = `
import json, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
def name(n): return b''.join(bytes([len(l)]) + l.encode('latin1') for l in n.split('.')) + b'\\0'
def ask(n, t=1, raw=None, wait=True):
    q = raw if raw is not None else struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + name(n) + struct.pack('>HH', t, 1)
    s.sendto(q, ('${SELF}', 53))
    if not wait: return
    a = s.recv(2000)
    return [a[3] & 15, struct.unpack('>H', a[6:8])[0]]
`;
const dns = async (program) => {
  const { stdout, stderr } = await box.run(
    ['/usr/bin/env', 'python3', '-c', `${DNS}\n${program}`]);
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
};

test('DNS answers for listed names, and carries nothing out', async () => {
  await world.forget();
  assert.deepEqual(await dns(`
head = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0)
print(json.dumps([ask('api.acme.net'), ask('API.acme.net', 28),
  ask('api.acme.net', 65), ask('api.acme.net', 16), ask('other.acme.net'),
  ask('secret-in-a-name.other.acme.net', 16), ask('other.acme.net', 28),
  ask('1.1.18.198.in-addr.arpa', 12),
  ask('', 0, head + b'\\xc0\\x0c\\0\\x01\\0\\x01'),
  ask('', 0, head + b'\\x01x\\xc0\\x0e\\0\\x01\\0\\x01'),
  ask('', 0, head + b'\\x3fx'),
  ask('', 0, head + b'\\x0capi.acme.net\\0\\0\\x01\\0\\x01')]))`),
  [[0, 1], [0, 0], [0, 0], [0, 0], [3, 0], [3, 0], [3, 0], [3, 0], [1, 0],
    [1, 0], [1, 0], [3, 0]]);
  assert.deepEqual(await world.questions(), []);
});

test('a box has 4096 names, and its questions fill no log', async () => {
  const many = await doors.box(['*.acme.net'], { ports: [443] });
  const program = `
codes = [ask('n%d.acme.net' % i)[0] for i in range(4200)]
codes.append(ask('n7.acme.net')[0])
for i in range(500): ask('n%d.other.net' % i)
print(json.dumps([codes.count(0), codes.count(5), codes[-1]]))`;
  const { stdout, stderr } = await many.run(
    ['/usr/bin/env', 'python3', '-c', `${DNS}\n${program}`]);
  assert.deepEqual(JSON.parse(stdout || 'null'), [4097, 104, 0], stderr);
  assert.ok(many.events().length <= 64, String(many.events().length));
  await many.end();
});

test('floods of one box do not keep another from being served', async () => {
  const other = await doors.box(['api.acme.net']);
  const flood = `
import threading, time
def pour():
    end = time.time() + 6
    while time.time() < end:
        try: ask('api.acme.net', wait=False)
        except OSError: pass
held = []
for i in range(400):
    c = socket.socket(); c.setblocking(False)
    c.connect_ex(('127.0.0.1', 443)); held.append(c)
    c = socket.socket(); c.setblocking(False)
    c.connect_ex(('${SELF}', 3128)); held.append(c)
threads = [threading.Thread(target=pour) for _ in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(held))`;
  const flooding = box.run(['/usr/bin/env', 'python3', '-c', `${DNS}\n${flood}`]);
  for (let i = 0; i < 5; i++) {
    const { stdout, stderr } = await other.curl('https://api.acme.net/text');
    assert.equal(stdout, 'hello', stderr);
  }
  assert.ok(doors.egress.descriptors < 400, String(doors.egress.descriptors));
  assert.equal((await flooding).stdout, '800\n');
  // And when it is over, it is over for its own box, too.
  const { stdout } = await box.curl('https://api.acme.net/text');
  assert.equal(stdout, 'hello');
  await other.end();
});

test('who does not say what it wants is not waited for', async () => {
  const [hello] = records(clientHello(serverName('api.acme.net')));
  const slow = await Promise.all([
    box.speak('api.acme.net', 443, hello.subarray(0, 40)),
    box.speak(SELF, 3128, 'CONNECT api.acme.net:443'),
    box.speak(SELF, 1080, '\x05\x01\x00')]);
  assert.equal(tlsAnswer(slow[0]), 'internal_error');
  assert.equal(slow[1].text, '');
  assert.equal(slow[2].text, '\x05\x00');
  await box.event(({ text }) => /within 10 seconds/.test(text));
});

test('each connection is told of once', async () => {
  const told = await doors.box(['https://api.acme.net'], { ports: [80, 443] });
  const one = async (act, expected) => {
    const before = told.events().length;
    await act();
    await until('an event', () => told.events().length > before);
    await told.curl('https://api.acme.net/text');
    await until('another', () => told.events().length > before + 1);
    assert.deepEqual(told.events().slice(before).map(({ end }) => end),
      [expected, 0]);
  };
  await one(() => told.speak('api.acme.net', 443, '', { end: true }), 15);
  await one(() => told.speak('api.acme.net', 443,
    records(clientHello()), { bytes: 7 }), 12);
  await one(() => told.speak('api.acme.net', 80, '', { end: true }), 15);
  await one(() => told.speak('api.acme.net', 80,
    'GET / HTTP/1.1\r\nHost: api.acme.net\r\nConnection: close\r\n\r\n'), 2);
  await one(() => told.speak(SELF, 1080, 'x'), 1);
  await one(() => told.curl('-x', PROXY, 'https://other.acme.net/'), 2);
  await told.end();
});
