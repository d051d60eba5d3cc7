// SPDX-License-Identifier: Apache-2.0
// The tiny tool on the official SDK's own HTTP transport, in one Node process.
// The argument says how: "shared", one server for a session, or "fresh", a
// server object for every request (the SDK's stateless form).
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { tinyServer } from './tiny.mjs';

async function connected(sessionIdGenerator) {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator, enableJsonResponse: true });
  await tinyServer().connect(transport);
  return transport;
}

const shared = process.argv[2] === 'shared' ? await connected(randomUUID) : null;

const listener = createServer(async (request, response) => {
  const transport = shared ?? await connected(undefined);
  if (shared === null) response.on('close', () => transport.close());
  await transport.handleRequest(request, response);
});
listener.listen(Number(process.argv[3]), '127.0.0.1');
