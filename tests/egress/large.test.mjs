// SPDX-License-Identifier: Apache-2.0

// Large answers in the clear: their rest goes from socket to socket through a
// pipe (src/egress/tail.c). Nothing of it may show but the speed.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Egress, ROOM_MAX, WINDOW } from '../lib/egress.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const MIB = 1 << 20;
const AT = '45.83.7.1';
let world;
let egress;

// /N/HOW: N bytes, each four of which are a number, counted up.
function origin({ request, response, words }) {
  const [length, how] = [Number(words[0]), words[1]];
  const bytes = Buffer.from(Uint32Array.from({ length: (length >> 2) + 1 },
    (_, i) => i).buffer).subarray(0, length);
  if (how === 'chunked') {
    response.write(bytes.subarray(0, 1000));
    response.end(bytes.subarray(1000));
    return;
  }
  if (how === 'twice') {
    request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n` +
      `Content-Length: ${length}\r\n\r\n`);
    request.socket.write(bytes);
    return;
  }
  if (how === 'more') {
    request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    request.socket.write(bytes);
    request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    return;
  }
  response.setHeader('content-length', length);
  if (how === 'cut' || how === 'reset') {
    response.write(bytes.subarray(0, length >> 1), () => {
      if (how === 'reset') request.socket.resetAndDestroy();
      else request.socket.destroySoon();
    });
    return;
  }
  request.resume().on('end', () => response.end(bytes));
}

// 8 MiB, a byte of urgent data in their middle.
const URGENT = `
import socket
listener = socket.create_server(('45.83.7.2', 80))
print('ready', flush=True)
while True:
    client, _ = listener.accept()
    client.recv(65536)
    client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 8388608\\r\\n\\r\\n')
    client.sendall(bytes(4 << 20))
    client.send(b'!', socket.MSG_OOB)
    client.sendall(bytes(4 << 20))
    client.recv(1)
    client.close()
`;

const numbers = (length) => Buffer.from(
  Uint32Array.from({ length: (length >> 2) + 1 }, (_, i) => i).buffer).subarray(0, length);
const url = (length, how = '') => `http://large.acme.net/x/${length}/${how}`;

before(async () => {
  world = await World.start();
  await world.name('large.acme.net', { a: [AT] });
  await world.http('large.acme.net', { address: AT, handler: origin });
  await world.program(['/usr/bin/python3', '-c', URGENT]);
  await world.name('urgent.acme.net', { a: ['45.83.7.2'] });
  egress = await Egress.start(world);
  await egress.server(1, { rules: ['http://large.acme.net', 'http://urgent.acme.net'] });
});
after(async () => {
  await egress?.stop();
  await world?.stop();
});

// Both ends of each.
const pipes = () => readdirSync(`/proc/${egress.pid}/fd`).filter((fd) => {
  try {
    return readlinkSync(`/proc/${egress.pid}/fd/${fd}`).startsWith('pipe:');
  } catch {
    return false; // just closed
  }
}).length;

// A fetch that stands still when a MiB and a half has come.
async function half(caller, address = url(8 * MIB)) {
  const fetch = caller.open(address);
  await new Promise((done) => {
    fetch.heard = () => {
      fetch.takes = fetch.size < 1.5 * MIB;
      if (!fetch.takes) done();
    };
  });
  fetch.heard = undefined;
  return fetch;
}

const goOn = (fetch) => {
  fetch.takes = true;
  fetch.more();
};

test('every byte of it arrives, through a pipe of the caller\'s', async () => {
  const before = pipes();
  const caller = await egress.caller(1);
  const fetch = await half(caller, url(8 * MIB + 13));
  assert.equal(pipes() - before, 2);
  goOn(fetch);
  const { end, status, bytes } = await fetch.over;
  assert.deepEqual([end, status], ['OK', 200]);
  assert.ok(bytes.equals(numbers(8 * MIB + 13)));
  const event = await egress.event((one) => one.path === `/x/${8 * MIB + 13}/`);
  assert.equal(event.in, 8 * MIB + 13);
  await caller.close();
  await until('its pipe to be closed', () => pipes() === before);
});

test('one after the other, and after a request with a body', async () => {
  const caller = await egress.caller(1);
  for (const length of [3 * MIB + 1, 5 * MIB, 2 * MIB + 3]) {
    const { end, bytes } = await caller.fetch(url(length), { method: 'POST',
      body: Buffer.alloc(700_000) });
    assert.equal(end, 'OK');
    assert.ok(bytes.equals(numbers(length)));
  }
  await caller.close();
});

test('several at once of one caller: one has the pipe, none waits', async () => {
  const caller = await egress.caller(1);
  const before = pipes();
  const standing = await half(caller);
  assert.equal(pipes() - before, 2);
  const lengths = [4 * MIB, 1000, 3 * MIB + 2, 0, 6 * MIB + 1];
  const others = await Promise.all(lengths.map((length) => caller.fetch(url(length))));
  for (const [i, { end, bytes }] of others.entries()) {
    assert.equal(end, 'OK');
    assert.ok(bytes.equals(numbers(lengths[i])), `${lengths[i]}`);
  }
  goOn(standing);
  assert.ok((await standing.over).bytes.equals(numbers(8 * MIB)));
  await caller.close();
});

test('one that is cancelled leaves nothing of itself between the frames', async () => {
  const caller = await egress.caller(1);
  for (let i = 0; i < 5; i += 1) {
    const fetch = await half(caller);
    caller.socket.pause(); // part of a frame is out, and more in the pipe
    goOn(fetch);
    fetch.cancel();
    const next = caller.fetch(url(3 * MIB + i));
    caller.socket.resume();
    const { end, bytes } = await next;
    assert.equal(end, 'OK');
    assert.ok(bytes.equals(numbers(3 * MIB + i)));
  }
  await caller.close();
});

test('one that nobody reads takes its room, and no more', async () => {
  const caller = await egress.caller(1);
  const fetch = caller.open(url(16 * MIB), { take: false });
  await until('its window', () => fetch.size === WINDOW);
  assert.equal((await caller.fetch(url(1000))).end, 'OK');
  assert.equal(fetch.size, WINDOW);
  caller.write(fetch.room(ROOM_MAX));
  await until('its room', () => fetch.size === WINDOW + ROOM_MAX);
  assert.equal((await caller.fetch(url(1000))).end, 'OK');
  assert.equal(fetch.size, WINDOW + ROOM_MAX);
  await caller.close();
});

test('room is given back late, and it goes on', async () => {
  const caller = await egress.caller(1);
  const fetch = caller.open(url(16 * MIB), { take: false });
  for (let size = WINDOW; size < 16 * MIB; size += ROOM_MAX) {
    await until('all that there is room for', () => fetch.size === size);
    caller.write(fetch.room(ROOM_MAX));
  }
  assert.ok((await fetch.over).bytes.equals(numbers(16 * MIB)));
  await caller.close();
});

test('the end of one that stood still comes, also when another fills the stream first', async () => {
  const caller = await egress.caller(1);
  const length = 1.5 * MIB + 300_000;
  const one = caller.open(url(length), { take: false });
  const isOver = () => egress.events.some(({ path }) => path === `/x/${length}/`);
  // Until its last bytes are in the pipe, and the fetch is over.
  for (let size = WINDOW, step = WINDOW; !isOver(); size += step) {
    await until('all that there is room for', () => one.size === size);
    step = size < 1.5 * MIB ? WINDOW : 3000;
    caller.write(one.room(step));
    await egress.ask(0xffffffff, 'https://nobody.acme.net/'); // it was heard
  }
  assert.ok(one.size < length, 'something is left');
  caller.socket.cork();
  const other = caller.open('http://elsewhere.acme.net/');
  caller.write(one.room(WINDOW));
  caller.socket.uncork();
  assert.equal((await other.over).end, 'NO_RULE');
  assert.ok((await one.over).bytes.equals(numbers(length)));
  await caller.close();
});

test('urgent data is passed over', async () => {
  const caller = await egress.caller(1);
  const fetch = await half(caller, 'http://urgent.acme.net/');
  goOn(fetch);
  const { end, size } = await fetch.over;
  assert.deepEqual([end, size], ['OK', 8 * MIB]);
  await caller.close();
});

for (const how of ['cut', 'reset']) {
  test(`an origin that ends in the middle (${how}) is told as that`, async () => {
    const caller = await egress.caller(1);
    const { end, error, size } = await caller.fetch(url(8 * MIB, how));
    assert.equal(end, 'CUT');
    assert.match(error, /large\.acme\.net:80/);
    assert.ok(size <= 4 * MIB);
    assert.ok((await caller.fetch(url(3 * MIB))).bytes.equals(numbers(3 * MIB)));
    await caller.close();
  });
}

test('what comes behind it is nobody\'s answer', async () => {
  const caller = await egress.caller(1);
  const { end, bytes } = await caller.fetch(url(4 * MIB, 'more'));
  assert.equal(end, 'OK');
  assert.ok(bytes.equals(numbers(4 * MIB)));
  assert.equal((await caller.fetch(url(5))).size, 5);
  await caller.close();
});

for (const how of ['chunked', 'twice']) {
  test(`where the length is not said once (${how}) it is not taken from libcurl`,
    async () => {
      const caller = await egress.caller(1);
      const before = pipes();
      const fetch = await half(caller, url(8 * MIB, how));
      assert.equal(pipes(), before);
      goOn(fetch);
      const { end, bytes } = await fetch.over;
      assert.equal(end, 'OK');
      assert.ok(bytes.equals(numbers(8 * MIB)));
      await caller.close();
    });
}

test('it is counted and bounded', async () => {
  const limits = [['TOO_LARGE', { bytesIn: 3 * MIB }], ['BUDGET', { bytesPerMinute: 3 * MIB }]];
  for (const [i, [wanted, budget]] of limits.entries()) {
    await egress.server(10 + i, { rules: ['http://large.acme.net'], budget });
    const caller = await egress.caller(10 + i);
    const { end, size } = await caller.fetch(url(8 * MIB));
    assert.equal(end, wanted);
    assert.ok(size > MIB && size <= 3 * MIB, `${size}`);
    await caller.close();
  }
});

test('who leaves in the middle takes it along', async () => {
  await egress.server(20, { rules: ['http://large.acme.net'] });
  const before = pipes();
  const caller = await egress.caller(20);
  const fetch = await half(caller);
  await caller.close();
  await until('the pipe to be closed', () => pipes() === before);
  assert.equal((await fetch.over).end, 'STREAM');
});
