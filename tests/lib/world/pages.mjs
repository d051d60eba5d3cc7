// SPDX-License-Identifier: Apache-2.0

// What an origin does, by the path that is asked for. Well-behaved ones first.

import { gzipSync } from 'node:zlib';

const BLOCK = Buffer.alloc(64 << 10, 'cordon ');

async function readAll(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// n bytes, as fast as they are taken.
function pour(response, n) {
  for (;;) {
    if (response.destroyed) return;
    if (n <= 0) {
      response.end();
      return;
    }
    const piece = n >= BLOCK.length ? BLOCK : BLOCK.subarray(0, n);
    n -= piece.length;
    if (!response.write(piece)) {
      response.once('drain', () => pour(response, n));
      return;
    }
  }
}

// Bytes on the bare connection; HTTP/2 has none: the stream is reset.
function bare(request, text, { end = false } = {}) {
  if (request.stream) {
    request.stream.close(2);
    return;
  }
  request.socket.write(text);
  if (end) request.socket.end();
}

// The connection is gone, for what else goes over it, too: there may be none any
// more. (2: INTERNAL_ERROR; without one, an answer without a length is whole.)
function cut(request) {
  if (request.stream) request.stream.session?.destroy(undefined, 2);
  else (request.socket._parent ?? request.socket).resetAndDestroy();
}

// This, for ever, on the bare connection.
function repeat(request, text) {
  const { socket } = request;
  const more = () => {
    while (!socket.destroyed && socket.write(text)) { /* on */ }
  };
  socket.on('drain', more);
  more();
}

export const pages = {
  async echo({ request, response, connection }) {
    const body = await readAll(request);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({
      method: request.method, url: request.url,
      version: request.httpVersion, connection: connection.id,
      address: connection.address, headers: request.rawHeaders,
      names: request.headers, body: body.toString('latin1'),
    }));
  },

  async length({ request, response }) {
    let n = 0;
    for await (const chunk of request) n += chunk.length;
    response.end(String(n));
  },

  text({ response, query }) {
    response.end(query.get('say') ?? 'hello');
  },

  status({ response, words }) {
    response.writeHead(Number(words[0]));
    response.end();
  },

  header({ response, query }) {
    for (const [name, value] of query) response.setHeader(name, value);
    response.end('ok');
  },

  redirect({ response, words, query }) {
    response.writeHead(Number(words[0]), { location: query.get('to') });
    response.end('elsewhere');
  },

  // A Location that needs no encoding rules: base64.
  redirect64({ response, words, query, request }) {
    const to = Buffer.from(query.get('to'), 'base64').toString('latin1');
    bare(request, `HTTP/1.1 ${words[0]} Elsewhere\r\nLocation: ${to}\r\n` +
      'Content-Length: 0\r\n\r\n', { end: true });
  },

  bytes({ response, words, query }) {
    const n = Number(words[0]);
    if (!query.has('chunked')) response.setHeader('content-length', n);
    pour(response, n);
  },

  // n bytes of zeros, packed.
  gzip({ response, words }) {
    response.setHeader('content-encoding', 'gzip');
    response.end(gzipSync(Buffer.alloc(Number(words[0])), { level: 9 }));
  },

  events({ response, query }) {
    response.setHeader('content-type', 'text/event-stream');
    let n = 0;
    const timer = setInterval(() => {
      response.write(`id: ${n}\ndata: event ${n}\n\n`);
      n += 1;
      if (n === Number(query.get('n') ?? Infinity)) {
        clearInterval(timer);
        response.end();
      }
    }, Number(query.get('ms') ?? 10));
    response.on('close', () => clearInterval(timer));
  },

  slow({ response, query }) {
    response.flushHeaders();
    setTimeout(() => response.end('slow'), Number(query.get('ms')));
  },

  late({ response, query }) {
    setTimeout(() => response.end('late'), Number(query.get('ms')));
  },

  // Hostile ones.
  'stall-head': () => {},

  'stall-body': ({ response, words }) => {
    response.setHeader('content-length', words[0] ?? 1000);
    response.write('the beginning'.repeat(words[1] ?? 1));
  },

  'stall-upload': ({ request }) => {
    request.pause();
  },

  drip({ response, query }) {
    const timer = setInterval(() => response.write('.'),
      Number(query.get('ms') ?? 100));
    response.on('close', () => clearInterval(timer));
  },

  reset({ request, response, words }) {
    if (words[0] !== 'body') {
      cut(request);
      return;
    }
    response.setHeader('content-length', 100000);
    response.write('the beginning', () => cut(request));
  },

  // Says one length, sends another.
  lie({ request, words }) {
    const [said, sent] = words.map(Number);
    bare(request, `HTTP/1.1 200 OK\r\nContent-Length: ${said}\r\n\r\n` +
      'x'.repeat(sent), { end: true });
  },

  flood({ response }) {
    pour(response, Infinity);
  },

  'flood-head': ({ request }) => {
    bare(request, 'HTTP/1.1 200 OK\r\n');
    if (!request.stream) repeat(request, `X-More: ${'y'.repeat(1000)}\r\n`);
  },

  'flood-continue': ({ request }) => {
    bare(request, '');
    if (!request.stream) repeat(request, 'HTTP/1.1 103 Early Hints\r\n\r\n');
  },

  // These bytes, then the end (?hold: no end).
  raw({ request, query }) {
    bare(request, Buffer.from(query.get('b'), 'base64'),
      { end: !query.has('hold') });
  },
};
