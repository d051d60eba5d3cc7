// SPDX-License-Identifier: Apache-2.0

// A remote MCP server as the official SDK makes them: Streamable HTTP behind
// its requireBearerAuth. And an authorization server that is the SDK's own.
// `settings`:
//   issuers   [URL] that its metadata names
//   scopes    that it says it has; required: those that a token must have
//   metadata  members over the honest ones; null: not there
//   places    where its metadata is: 'path', 'root'; [] nowhere
//   challenge false: a 401 names no metadata; a text: it is that
//   open      nobody needs a token

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../e2e/package.json', import.meta.url));
const sdk = (path) => require(`@modelcontextprotocol/sdk/${path}.js`);
const express = require('express');
const { McpServer } = sdk('server/mcp');
const { StreamableHTTPServerTransport } = sdk('server/streamableHttp');
const { requireBearerAuth } = sdk('server/auth/middleware/bearerAuth');
const { InvalidTokenError } = sdk('server/auth/errors');
const { mcpAuthRouter } = sdk('server/auth/router');
const { DemoInMemoryAuthProvider } = sdk('examples/server/demoInMemoryOAuthProvider');

const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });

function serverOf(request) {
  const server = new McpServer({ name: 'protected', version: '1.0.0' });
  server.registerTool('whoami', { description: 'who calls' }, () =>
    text({ user: request.auth?.extra?.user, scopes: request.auth?.scopes,
      client: request.auth?.clientId }));
  server.registerTool('heard', { description: 'what came as a token' }, () =>
    text({ authorization: request.headers.authorization ?? null }));
  return server;
}

async function speak(request, response) {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => transport.close());
  await serverOf(request).connect(transport);
  await transport.handleRequest(request, response, request.body);
}

// `verify`: a token's record, or undefined.
export class Resource {
  settings = {};

  constructor(host, verify) {
    this.url = `https://${host}/mcp`;
    this.app = express().disable('x-powered-by').use(express.json());
    const metadata = (place) => (_, response) => {
      const { issuers = [], scopes, places = ['path'], metadata: more = {} } = this.settings;
      if (!places.includes(place)) return response.status(404).end();
      return response.json(Object.fromEntries(Object.entries({ resource: this.url,
        authorization_servers: issuers, bearer_methods_supported: ['header'],
        ...scopes && { scopes_supported: scopes }, ...more })
        .filter(([, value]) => value !== null)));
    };
    const known = '/.well-known/oauth-protected-resource';
    this.app.get(`${known}/mcp`, metadata('path'));
    this.app.get(known, metadata('root'));
    this.app.all('/mcp', (request, response, next) => {
      const { open, required = [], challenge } = this.settings;
      if (open) return speak(request, response);
      if (typeof challenge === 'string' && !request.headers.authorization)
        return response.status(401).set('WWW-Authenticate', challenge).end();
      return requireBearerAuth({ requiredScopes: required, expectedResource: this.url,
        ...challenge !== false && { resourceMetadataUrl: `https://${host}${known}/mcp` },
        verifier: { verifyAccessToken: async (token) => {
          const found = verify(token);
          if (found === undefined) throw new InvalidTokenError('this token is none');
          return { token, clientId: found.client, scopes: found.scope.split(' '),
            expiresAt: found.expires / 1000, resource: new URL(found.resource),
            extra: { user: found.user } };
        } } })(request, response, next);
    }, (request, response) => request.method === 'POST' ? speak(request, response)
      : response.status(405).end());
  }
}

// Both in one, as a server of MCP 2025-03-26 was: nothing of ours in it.
export class SdkOnly {
  settings = {};

  constructor(host) {
    const url = new URL(`https://${host}/mcp`);
    const provider = new DemoInMemoryAuthProvider((resource) => resource?.href === url.href);
    provider.clientsStore.registerClient = async (client) => {
      provider.clientsStore.clients.set(client.client_id, client);
      return client;
    };
    this.app = express().disable('x-powered-by');
    this.app.use(mcpAuthRouter({ provider, issuerUrl: new URL(`https://${host}`),
      resourceServerUrl: url, scopesSupported: ['mcp:tools'] }));
    const guard = (resourceMetadataUrl) => requireBearerAuth({ verifier: provider,
      requiredScopes: ['mcp:tools'], expectedResource: url, resourceMetadataUrl });
    const [told, silent] =
      [guard(`https://${host}/.well-known/oauth-protected-resource/mcp`), guard()];
    this.app.post('/mcp', express.json(), (...args) =>
      (this.settings.challenge === false ? silent : told)(...args), speak);
  }
}
