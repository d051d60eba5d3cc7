// SPDX-License-Identifier: Apache-2.0

// A remote server and its authorization server, as the store sees them: through
// questions to egress (fake-supervisor.mjs). Honest, unless a test puts another
// answer in a place: `world.at['POST https://…'] = (ask) => answer`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { sealKey } from '../lib/begin.mjs';
import { ok } from './admin-answers.mjs';

export const SERVER = 'https://mcp.example.com/v1/mcp';
export const ISSUER = 'https://auth.example.com';
export const REDIRECT = 'http://127.0.0.1:43210/callback';

const END = { TIMEOUT: 9, DNS: 5 };

export class World {
  constructor(egress) {
    this.egress = egress;
    this.n = 0; // tokens given
    this.codes = new Map(); // what was authorized: code -> { challenge, … }
    this.refreshes = new Set(); // that are good; each once
    this.revoked = [];
    this.expiresIn = 3600;
    this.at = this.honest();
    egress.onAsk = (ask) => this.hear(ask);
  }

  honest() {
    const url = new URL(SERVER);
    const metadata = `${url.origin}/.well-known/oauth-protected-resource/v1/mcp`;
    return {
      [`POST ${SERVER}`]: ({ headers }) => {
        assert.equal(headers.authorization, undefined, 'the probe has a secret');
        return { status: 401,
          headers: { 'WWW-Authenticate': `Bearer resource_metadata="${metadata}", scope="mcp:read"` } };
      },
      [`GET ${metadata}`]: () => ({ body: { resource: SERVER, authorization_servers: [ISSUER],
        scopes_supported: ['mcp:read', 'mcp:write'] } }),
      [`GET ${ISSUER}/.well-known/oauth-authorization-server`]: () => ({ body: this.metadata() }),
      [`POST ${ISSUER}/register`]: ({ body }) => {
        const asked = JSON.parse(body);
        assert.deepEqual(asked.redirect_uris, [REDIRECT]);
        return { status: 201, body: { ...asked, client_id: 'client-one' } };
      },
      [`POST ${ISSUER}/token`]: (ask) => this.token(ask),
      [`POST ${ISSUER}/revoke`]: ({ body }) => {
        this.revoked.push(new URLSearchParams(body).get('token'));
        return { status: 200 };
      },
    };
  }

  metadata() {
    return { issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`, registration_endpoint: `${ISSUER}/register`,
      revocation_endpoint: `${ISSUER}/revoke`, response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
      authorization_response_iss_parameter_supported: true };
  }

  async hear(ask) {
    const answer = await this.at[`${ask.method} ${ask.url}`]?.(ask) ?? { status: 404 };
    if (answer !== 'silence') this.egress.tell(ask, answer);
  }

  // The person says yes at this URL; what the browser brings back.
  authorize(offered) {
    const url = new URL(offered);
    const asked = Object.fromEntries(url.searchParams);
    assert.equal(url.origin + url.pathname, `${ISSUER}/authorize`);
    assert.equal(asked.response_type, 'code');
    assert.equal(asked.code_challenge_method, 'S256');
    const code = `code-${this.codes.size + 1}`;
    this.codes.set(code, asked);
    return { state: asked.state, code, iss: ISSUER };
  }

  token({ body }) {
    const form = Object.fromEntries(new URLSearchParams(body));
    if (form.grant_type === 'authorization_code') {
      const asked = this.codes.get(form.code);
      this.codes.delete(form.code);
      if (!asked) return { status: 400, body: { error: 'invalid_grant' } };
      assert.equal(createHash('sha256').update(form.code_verifier).digest('base64url'),
        asked.code_challenge);
      assert.equal(form.redirect_uri, asked.redirect_uri);
      assert.equal(form.resource, asked.resource);
    } else {
      assert.equal(form.grant_type, 'refresh_token');
      if (!this.refreshes.delete(form.refresh_token))
        return { status: 400, body: { error: 'invalid_grant', error_description: 'used' } };
    }
    return { body: this.tokens() };
  }

  tokens() {
    const refresh = `refresh-token-${++this.n}`;
    this.refreshes.add(refresh);
    return { access_token: `access-token-${this.n}`, token_type: 'Bearer',
      expires_in: this.expiresIn, refresh_token: refresh };
  }

  // What was asked, in the order: "POST https://…".
  get asked() { return this.egress.asks.map(({ method, url }) => `${method} ${url}`); }
}

export const timeout = { end: END.TIMEOUT, text: 'it did not answer in time' };
export const unknown = { end: END.DNS, text: 'there is no such name' };

// A remote server of this store, approved, with an egress and its world.
export async function remote(t, store, { fd = 5, name = 'r', url = SERVER, token } = {}) {
  const egress = store.egress(fd);
  await egress.snapshot();
  const added = await ok(store.ask('POST', '/servers', { name, url }, token), 201);
  await ok(store.ask('POST', `/servers/${name}/approve`, { digest: added.digest }, token));
  return new World(egress);
}

// To whom a key is sealed, and whose tenant's it is; asked for once, so that a
// sign-in is asked for at once.
export async function vaultOf(store, token) {
  store.vaults ??= new Map();
  if (!store.vaults.has(token))
    store.vaults.set(token, await ok(store.ask('GET', '/secrets', '', token)));
  return store.vaults.get(token);
}

// `letter`: what of its key's is to be another.
export async function begin(store, more = {}, token, letter = {}) {
  const body = { server: 'r', redirect_uri: REDIRECT, ...more };
  const { tenant, public_key: publicKey } = await vaultOf(store, token);
  const key = publicKey ? sealKey(publicKey, body, { tenant, ...letter }) : 'none';
  return store.ask('POST', '/logins', { key, ...body }, token);
}

export const finish = (store, back, token) => store.ask('POST', '/logins/finish', back, token);

export async function signIn(store, world, more = {}, token) {
  const { url } = await ok(begin(store, more, token));
  return ok(finish(store, world.authorize(url), token), 201);
}
