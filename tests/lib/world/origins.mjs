// SPDX-License-Identifier: Apache-2.0

// Origins: HTTP, HTTPS with HTTP/2, and bare TCP, each at its address, and what
// they saw. Handlers come as text from the test (they run in this process).

import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { pages } from './pages.mjs';

const listen = (server, { address, port }) => new Promise((done, fail) => {
  server.on('error', fail);
  server.listen({ host: address, port, backlog: 4096 }, done);
});

const handlerOf = (text) => text && new Function(`return (${text})`)();

export class Origins {
  connections = [];
  requests = [];
  servers = new Map();

  // Counts connections; request handlers find theirs on the socket.
  #watch(server, { name, port }) {
    server.on('connection', (socket) => {
      const connection = { id: this.connections.length, name, port,
        address: (socket.localAddress ?? '').replace(/^::ffff:(?=.*\.)/, ''),
        from: socket.remoteAddress, open: true };
      this.connections.push(connection);
      socket.connection = connection;
      socket.on('error', () => {});
      socket.on('close', () => { connection.open = false; });
    });
  }

  #request(name, handler, request, response) {
    const connection = under(request.socket);
    const seen = { name, connection: connection.id, port: connection.port,
      address: connection.address, method: request.method, url: request.url,
      version: request.httpVersion, headers: request.rawHeaders,
      authority: request.authority ?? request.headers.host,
      sni: request.socket.servername || undefined };
    this.requests.push(seen);
    request.on('error', () => {});
    response.on('error', () => {});
    const [path, query] = request.url.replace(/^https?:\/\/[^/]*/, '')
      .split('?');
    const [page, ...words] = path.split('/').slice(1);
    const serve = handler ?? (Object.hasOwn(pages, page) ? pages[page]
      : notFound);
    Promise.resolve()
      .then(() => serve({ request, response, words, connection, pages,
        query: new URLSearchParams(query) }))
      .catch((error) => response.destroy?.(error));
  }

  async http(where) {
    const handler = handlerOf(where.handler);
    const server = http.createServer({ keepAliveTimeout: 0,
      requestTimeout: 0, headersTimeout: 0, insecureHTTPParser: false,
      maxHeaderSize: 256 << 10 },
    (request, response) =>
      this.#request(where.name, handler, request, response));
    this.#watch(server, where);
    await this.#open(server, where);
  }

  // TLS with HTTP/1.1 and, unless h2 is false, HTTP/2.
  async https(where, { key, cert }) {
    const handler = handlerOf(where.handler);
    const answer = (request, response) =>
      this.#request(where.name, handler, request, response);
    const options = { key, cert, allowHTTP1: true,
      ALPNProtocols: where.h2 === false ? ['http/1.1'] : ['h2', 'http/1.1'] };
    const server = where.h2 === false
      ? (await import('node:https')).createServer(options, answer)
      : http2.createSecureServer(options, answer);
    server.keepAliveTimeout = 0;
    server.requestTimeout = 0;
    server.on('secureConnection', (socket) => {
      const seen = under(socket);
      seen.sni = socket.servername || undefined;
      seen.alpn = socket.alpnProtocol || undefined;
    });
    server.on('tlsClientError', () => {});
    server.on('sessionError', () => {});
    this.#watch(server, where);
    await this.#open(server, where);
  }

  // say: base64 at once; then: 'close' | 'hold' | 'echo' | 'reset'.
  async tcp(where) {
    const handler = handlerOf(where.handler);
    const server = net.createServer({ allowHalfOpen: where.then === 'hold' },
      (socket) => {
        if (handler) {
          handler({ socket, tls });
          return;
        }
        if (where.say) socket.write(Buffer.from(where.say, 'base64'));
        if (where.then === 'close') socket.end();
        if (where.then === 'reset') socket.resetAndDestroy();
        if (where.then === 'echo') socket.pipe(socket);
        else socket.resume();
      });
    this.#watch(server, where);
    await this.#open(server, where);
  }

  async #open(server, where) {
    await listen(server, where);
    this.servers.set(`${where.address} ${where.port}`, server);
  }

  async close({ address, port }) {
    const server = this.servers.get(`${address} ${port}`);
    this.servers.delete(`${address} ${port}`);
    server.closeAllConnections?.();
    await new Promise((done) => server.close(done));
  }
}

function notFound({ response }) {
  response.writeHead(404);
  response.end('not here');
}

// The plain connection below a request's socket (TLS, or an HTTP/2 session).
function under(socket) {
  return socket.connection ?? socket._parent?.connection ?? { id: -1 };
}
