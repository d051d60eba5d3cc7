// SPDX-License-Identifier: Apache-2.0

// The gateway's HTTP, to clients that do not behave.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway, head, statusOf } from './fake-gateway.mjs';

let gateway;
before(async () => { gateway = await Gateway.start('-j', '-v'); });
after(async () => { assert.equal(await gateway.stop(), 0); });

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const POST = 'POST /s/tools/mcp HTTP/1.1';
const CLOSE = 'Connection: close';
const chunked = (...pieces) => pieces.map((piece) =>
  `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`).join('') + '0\r\n\r\n';

const answers = async (bytes, ...statuses) =>
  assert.deepEqual(statusOf(await gateway.raw(bytes)), statuses, JSON.stringify(bytes.slice(0, 200)));

test('plain and chunked bodies, however they are cut', async () => {
  await answers(head(POST, `Content-Length: ${PING.length}`, CLOSE) + PING, 200);
  await answers(head(POST, 'Transfer-Encoding: chunked', CLOSE) +
    chunked(PING.slice(0, 7), PING.slice(7)), 200);
  const bytes = head(POST, 'Transfer-Encoding: chunked', CLOSE) + chunked(PING);
  const { socket, answer } = gateway.open();
  socket.setNoDelay(true);
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(byte, resolve));
  }
  assert.deepEqual(statusOf(await answer), [200]);
});

test('framing that two readers could take differently is refused', async () => {
  const body = chunked(PING);
  await answers(head(POST, `Content-Length: ${body.length}`, 'Transfer-Encoding: chunked') + body, 400);
  await answers(head(POST, 'Transfer-Encoding: chunked', 'Content-Length: 3') + body, 400);
  await answers(head(POST, 'Content-Length: 40', 'Content-Length: 41') + PING, 400);
  await answers(head(POST, 'Content-Length: 40', 'Content-Length: 40') + PING, 400);
  for (const length of ['-1', '+40', '0x28', '40, 40', '4 0', '', '99999999999999999999']) {
    // libmicrohttpd 0.9.75 says the head of its own 400 twice, then closes.
    const statuses = statusOf(await gateway.raw(head(POST, `Content-Length: ${length}`) + PING));
    assert.ok(statuses.length > 0 && statuses.every((one) => one === 400 || one === 413),
      `${length}: ${statuses}`);
  }
  for (const encoding of ['gzip', 'gzip, chunked', 'chunked, chunked', 'xchunked', 'identity']) {
    await answers(head(POST, `Transfer-Encoding: ${encoding}`) + body, 400);
  }
  await answers(head('POST /s/tools/mcp HTTP/1.0', 'Transfer-Encoding: chunked') + body, 400);
});

// Otherwise the end of the connection can overtake the answer.
test('who is refused by the head is told so, though still sending a short body', async () => {
  const { socket, answer } = gateway.open();
  socket.write(head('POST /nowhere HTTP/1.1', `Content-Length: ${PING.length}`));
  await answers(head('GET /healthz HTTP/1.1', CLOSE), 200); // the head was read
  socket.write(PING + head('GET /healthz HTTP/1.1', CLOSE));
  assert.deepEqual(statusOf(await answer), [404, 200]);
});

test('bad chunk sizes end the connection', async () => {
  for (const size of ['zz', '-1', 'ffffffffffffffffff', '0x5', '']) {
    const answer = await gateway.raw(head(POST, 'Transfer-Encoding: chunked') +
      `${size}\r\n${PING}\r\n0\r\n\r\n${head(POST, 'Content-Length: 0')}`);
    assert.ok(statusOf(answer).every((status) => status >= 400), `${size}: ${answer}`);
  }
});

test('one Host, and one we answer to', async () => {
  const bare = (...lines) => ['POST /s/tools/mcp HTTP/1.1', ...lines,
    'Authorization: Bearer letmein', `Content-Length: ${PING.length}`, CLOSE, '', PING].join('\r\n');
  await answers(bare('Host: localhost'), 200);
  await answers(bare('Host: tools.example:1'), 200);
  await answers(bare('Host: localhost', 'Host: localhost'), 400);
  await answers(bare('Host: localhost', 'host: evil.example'), 400);
  await answers(bare('Host: evil.example'), 403);
  await answers(bare('Host: localhost.evil.example'), 403);
  await answers(bare('Host: 127.0.0.1.nip.io'), 403);
  assert.ok([400, 403].includes(statusOf(await gateway.raw(bare('X: y')))[0]));
});

test('targets are paths', async () => {
  await answers(head('GET http://localhost/healthz HTTP/1.1', CLOSE), 400);
  await answers(head('OPTIONS * HTTP/1.1', CLOSE), 400);
  await answers(head('CONNECT evil.example:443 HTTP/1.1', CLOSE), 400);
  await answers(head('GET /s/../healthz HTTP/1.1', CLOSE), 404);
  await answers(head('GET //healthz HTTP/1.1', CLOSE), 404);
});

test('lines that are no HTTP', async () => {
  for (const bytes of ['\r\n\r\n\r\n\r\n', 'GET\r\n\r\n', '\0\0\0\0\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', head('GET /healthz HTTP/9.9'),
    head('GET /healthz HTTP/1.1', 'Bad Name: x'),
    head('GET /healthz HTTP/1.1', 'Name : x'),
    head('GET /healthz HTTP/1.1', 'X: a\x01b')]) {
    const { socket, answer } = gateway.open(Buffer.from(bytes, 'latin1'));
    socket.end();
    const statuses = statusOf(await answer);
    assert.ok(statuses.every((status) => status >= 400), `${JSON.stringify(bytes)}: ${statuses}`);
  }
});

test('a header without a name ends the head, and then the connection', async () => {
  // So libmicrohttpd 0.9.75 has it; what follows is then no request line.
  const answer = await gateway.raw(head('GET /s/fetch/page HTTP/1.1', ': x', 'X-After: 1'));
  assert.ok(!answer.includes('X-After'));
  assert.deepEqual([...new Set(statusOf(answer))], [201, 400]);
});

test('a folded header cannot move a border', async () => {
  const answer = await gateway.raw(head(POST, 'Content-Length: 4\r\n 0', CLOSE) + PING);
  assert.equal(statusOf(answer).length, 1);
});

test('a flood of headers is 431, and soon', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => `X-${i}: ${'y'.repeat(20)}`);
  assert.deepEqual(statusOf(await gateway.raw(head('GET /healthz HTTP/1.1', ...many))).slice(0, 1), [431]);
  const long = await gateway.raw(head(`GET /${'x'.repeat(100_000)} HTTP/1.1`));
  assert.ok([414, 431].includes(statusOf(long)[0]), long.slice(0, 100));
});

test('a body over the cap is 413 before it was sent', async () => {
  await answers(head(POST, `Content-Length: ${100 << 20}`), 413);
  const { socket, answer } = gateway.open(head(POST, 'Transfer-Encoding: chunked'));
  const piece = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65536, 'x'), Buffer.from('\r\n')]);
  let sent = 0;
  const done = answer.then(() => true);
  while (sent < 100 << 20) {
    if (!socket.writable) break;
    const flushed = new Promise((resolve) => socket.write(piece, resolve));
    if (await Promise.race([flushed.then(() => false), done])) break;
    sent += 65536;
  }
  assert.ok(sent < 32 << 20, `it took ${sent} bytes`);
  const text = await answer;
  if (text !== '') assert.deepEqual(statusOf(text), [413]); // a reset may eat it
  await answers(head('DELETE /s/tools/mcp HTTP/1.1', `Content-Length: ${100 << 20}`), 413);
});

test('the largest body that fits does fit', async () => {
  const start = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"text","arguments":{"a":"';
  const body = start + 'x'.repeat((4 << 20) - start.length - 4) + '"}}}';
  assert.equal(body.length, 4 << 20);
  assert.equal((await gateway.post('/s/tools/mcp', body)).status, 200);
  assert.equal((await gateway.call('big')).result.content[0].text.length, (1 << 20) - 2);
});

test('an early refusal of a body leaves no second request behind', async () => {
  const hidden = head('GET /healthz HTTP/1.1', CLOSE);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS']) {
    const bytes = [`${method} /s/tools/mcp HTTP/1.1`, 'Host: localhost',
      `Content-Length: ${hidden.length}`, '', hidden].join('\r\n');
    const { socket, answer } = gateway.open(bytes);
    socket.end();
    assert.deepEqual(statusOf(await answer), [401], method);
  }
});

test('requests in one go are answered in order', async () => {
  const slow = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}';
  const answer = await gateway.raw(
    head(POST, `Content-Length: ${slow.length}`) + slow +
    head('GET /healthz HTTP/1.1') +
    head('GET /none HTTP/1.1', CLOSE));
  assert.deepEqual(statusOf(answer), [200, 200, 404]);
  assert.ok(answer.indexOf('"slow"') < answer.indexOf('ok\n'));
});

test('HTTP/1.0 is answered and closed', async () => {
  const answer = await gateway.raw('GET /healthz HTTP/1.0\r\n\r\n');
  assert.deepEqual(statusOf(answer), [200]);
  const stream = await gateway.raw(head('GET /s/fetch/stream HTTP/1.0'));
  assert.ok(!/chunked/i.test(stream));
  assert.ok(stream.endsWith('data: tick\n\n'.repeat(4)));
});

test('Expect: 100-continue is kept to', async () => {
  const { socket, answer, soFar } = gateway.open(
    head(POST, 'Expect: 100-continue', `Content-Length: ${PING.length}`, CLOSE));
  await gateway.until(() => soFar().includes('100 Continue'));
  socket.write(PING);
  assert.deepEqual(statusOf(await answer), [100, 200]);
  await answers(head(POST, 'Expect: 100-continue', `Content-Length: ${100 << 20}`), 413);
});

test('a client that drips is cut off, however steadily', async () => {
  for (const bytes of [head(POST, 'Content-Length: 1000'), `${POST}\r\nX: `]) {
    const { socket, answer } = gateway.open(bytes);
    const drip = setInterval(() => socket.write('x'), 100);
    await answer;
    clearInterval(drip);
  }
});

test('a client that says nothing is cut off', async () => {
  assert.equal(await gateway.open().answer, '');
  assert.equal(await gateway.open('GET /heal').answer, '');
});

test('a crowd that says nothing makes room for who speaks', async () => {
  const stream = gateway.open(head('GET /s/fetch/hang HTTP/1.1'));
  await gateway.until(async () => await gateway.metric('cells_busy') === 1);
  const crowd = Array.from({ length: 400 }, () => gateway.open());
  const asked = await gateway.fetch('/healthz');
  assert.equal(asked.status, 200);
  await asked.text();
  assert.ok(await gateway.metric('http_connections') <= 128 + 64);
  const first = await Promise.race(crowd.map((one, i) => one.answer.then(() => i)));
  assert.ok(first < 300, 'the longest idle goes first');
  assert.ok(!stream.socket.destroyed, 'who has a request stays');
  for (const { socket } of [stream, ...crowd]) socket.destroy();
  await gateway.until(async () => await gateway.metric('http_pending') === 1 &&
    await gateway.metric('cells_busy') === 0);
});

test('it is still there, and whole', async () => {
  assert.equal((await gateway.call('text')).status, 200);
  assert.equal(await gateway.metric('http_pending'), 1); // this one
  assert.equal(await gateway.metric('cells_busy'), 0);
  for (const line of gateway.log.trim().split('\n')) JSON.parse(line);
});
