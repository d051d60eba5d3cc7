// SPDX-License-Identifier: Apache-2.0

// The fixture with the SDK's own HTTP transports, without the host: what it
// reaches there is what it must reach through the host.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { SUPPORTED_PROTOCOL_VERSIONS, createMcpHandler, hostHeaderValidationResponse, isLegacyRequest,
  localhostAllowedHostnames, localhostAllowedOrigins, originValidationResponse }
  from '@modelcontextprotocol/server';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest }
  from '@modelcontextprotocol/node';
import { makeServer } from './sdk.mjs';

const SESSION = 'mcp-session-id';
const legacyVersions = SUPPORTED_PROTOCOL_VERSIONS.filter((one) => one < '2026-07-28');

// A session of the older revisions: a server and its transport.
async function openSession(sessions, versions) {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await makeServer({ versions }).connect(transport);
  return transport;
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

// Listens on a free port of 127.0.0.1; answers with its URL and an end. era:
// 'legacy' or 'modern', where it speaks only that.
export async function serveHttp({ era } = {}) {
  const sessions = new Map();
  let notify;
  const modern = createMcpHandler(() => {
    const server = makeServer();
    // Each request has a server of its own: what one of them changes is told
    // to whoever listens.
    server.sendToolListChanged = () => notify.toolsChanged();
    server.sendPromptListChanged = () => notify.promptsChanged();
    return server;
  }, { legacy: 'reject' });
  notify = modern.notify;
  const node = toNodeHandler(modern);
  const http = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const web = await toWebRequest(request, body);
    const refused = hostHeaderValidationResponse(web, localhostAllowedHostnames()) ??
      originValidationResponse(web, localhostAllowedOrigins());
    if (refused) {
      response.writeHead(refused.status).end(await refused.text());
      return;
    }
    if (era === 'modern' ||
      (era !== 'legacy' && !await isLegacyRequest(web, body))) {
      await node(request, response, body);
      return;
    }
    const id = request.headers[SESSION];
    if (id !== undefined && !sessions.has(id)) {
      response.writeHead(404).end();
      return;
    }
    const transport = sessions.get(id) ?? await openSession(sessions,
      era === 'legacy' ? legacyVersions : undefined);
    await transport.handleRequest(request, response, body);
  });
  await new Promise((listening) => http.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${http.address().port}/mcp`,
    async close() {
      await modern.close();
      for (const transport of sessions.values()) await transport.close();
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}
