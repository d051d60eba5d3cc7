// SPDX-License-Identifier: Apache-2.0

// The official SDK's client, signing in by itself: the control for what cordon
// does there. `node client.mjs URL` prints what `whoami` says.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../e2e/package.json', import.meta.url));
const sdk = (path) => require(`@modelcontextprotocol/sdk/${path}.js`);
const { Client } = sdk('client/index');
const { StreamableHTTPClientTransport } = sdk('client/streamableHttp');
const { UnauthorizedError } = sdk('client/auth');

const url = new URL(process.argv[2]);
const redirectUrl = 'http://127.0.0.1:7391/callback';
const kept = {};
let code;
const authProvider = {
  redirectUrl,
  clientMetadata: { redirect_uris: [redirectUrl], client_name: 'control',
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    token_endpoint_auth_method: 'none' },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  async redirectToAuthorization(to) {
    const answer = await fetch(to, { redirect: 'manual' });
    code = new URL(answer.headers.get('location')).searchParams.get('code');
  },
};

const connect = async () => {
  const client = new Client({ name: 'control', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(url, { authProvider });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(code);
    return connect();
  }
};

const client = await connect();
const { content: [{ text }] } = await client.callTool({ name: 'whoami', arguments: {} });
console.log(text);
await client.close();
