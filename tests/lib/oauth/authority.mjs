// SPDX-License-Identifier: Apache-2.0

// An authorization server, as strict as one may be: OAuth 2.1 with PKCE S256,
// resource indicators, iss, dynamic registration, client documents, refresh
// tokens that are good once. `settings` turn it into any other:
//   issuer      its own name (https://HOST)
//   places      where its metadata is: 'rfc8414', 'oidc', 'oidc-appended'
//   metadata    members over the honest ones; null: it is not there
//   clients     { ID: { secret, redirect_uris } } that it knows
//   cimd        takes client documents
//   life        of an access token, s (3600)
//   refresh     false: no refresh tokens; 'same': they stay good
//   iss         in the answer (its issuer); null: none
//   answer      members over those of the redirect; null: not there
//   registered  members over the answer to a registration
//   token       members over the answer of the token endpoint
//   scope       that is granted, whatever was asked for

import { createHash, randomBytes } from 'node:crypto';

const random = (prefix) => `${prefix}-${randomBytes(24).toString('base64url')}`;
const json = (status, value, headers = {}) => ({ status, body: JSON.stringify(value),
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers } });
const refuse = (error, words, status = 400) =>
  json(status, { error, error_description: words });
const over = (value, more = {}) => Object.fromEntries(
  Object.entries({ ...value, ...more }).filter(([, one]) => one !== null));

const AUTHS = ['none', 'client_secret_post', 'client_secret_basic'];

export class Authority {
  codes = new Map();
  clients = new Map();
  // All tokens of the world: resources look here.
  constructor(host, tokens, documentOf) {
    Object.assign(this, { host, tokens, documentOf, settings: {} });
  }

  get issuer() {
    return this.settings.issuer ?? `https://${this.host}`;
  }

  get metadata() {
    const { origin, pathname } = new URL(this.issuer);
    const base = origin + pathname.replace(/\/$/, '');
    return over({ issuer: this.issuer,
      authorization_endpoint: `${base}/authorize`, token_endpoint: `${base}/token`,
      registration_endpoint: `${base}/register`, revocation_endpoint: `${base}/revoke`,
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: AUTHS,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      ...this.settings.cimd && { client_id_metadata_document_supported: true } },
    this.settings.metadata);
  }

  get #places() {
    const path = new URL(this.issuer).pathname.replace(/\/$/, '');
    const all = { rfc8414: `/.well-known/oauth-authorization-server${path}`,
      oidc: `/.well-known/openid-configuration${path}`,
      'oidc-appended': `${path}/.well-known/openid-configuration` };
    return (this.settings.places ?? ['rfc8414']).map((place) => all[place]);
  }

  handle({ method, path, query, headers, body }) {
    if (this.#places.includes(path)) return json(200, this.metadata);
    const base = new URL(this.issuer).pathname.replace(/\/$/, '');
    const endpoint = path.startsWith(`${base}/`) ? path.slice(base.length) : '';
    if (method === 'GET' && endpoint === '/authorize') return this.#authorize(query, headers);
    if (method !== 'POST') return json(404, { error: 'not_here' });
    if (endpoint === '/register') return this.#register(JSON.parse(body));
    if (endpoint === '/token') return this.#token(new URLSearchParams(body), headers);
    if (endpoint === '/revoke') return this.#revoke(new URLSearchParams(body), headers);
    return json(404, { error: 'not_here' });
  }

  // ---- clients

  #client(id) {
    if (id === null) return undefined;
    const given = this.settings.clients?.[id];
    if (given !== undefined) return { id, ...given };
    if (this.settings.cimd && id.startsWith('https://')) {
      const document = this.documentOf(id);
      if (document?.client_id === id) return { id, ...document };
    }
    return this.clients.get(id);
  }

  #register(asked) {
    const uris = asked.redirect_uris;
    if (!Array.isArray(uris) || uris.length === 0 ||
      !uris.every((uri) => /^http:\/\/(127\.0\.0\.1|\[::1\]):\d+\//.test(uri)))
      return refuse('invalid_redirect_uri', 'a loopback address is needed');
    if (!AUTHS.includes(asked.token_endpoint_auth_method))
      return refuse('invalid_client_metadata', 'token_endpoint_auth_method');
    if (!asked.grant_types?.includes('refresh_token'))
      return refuse('invalid_client_metadata', 'grant_types');
    const client = { id: random('client'), redirect_uris: uris,
      ...asked.token_endpoint_auth_method !== 'none' && { secret: random('secret') } };
    this.clients.set(client.id, client);
    return json(201, over({ ...asked, client_id: client.id,
      ...client.secret && { client_secret: client.secret, client_secret_expires_at: 0 } },
    this.settings.registered));
  }

  // Of a request to the token endpoint: undefined where it is not who it says.
  #known(form, headers) {
    const [scheme, code] = (headers.authorization ?? '').split(' ');
    let id = form.get('client_id');
    let secret = form.get('client_secret') ?? undefined;
    if (scheme === 'Basic') {
      const [user, ...rest] = Buffer.from(code, 'base64').toString().split(':');
      if (secret !== undefined) return undefined;
      id = decodeURIComponent(user.replaceAll('+', ' '));
      secret = decodeURIComponent(rest.join(':').replaceAll('+', ' '));
    }
    const client = this.#client(id);
    return client !== undefined && client.secret === secret ? client : undefined;
  }

  // ---- the endpoints

  // Whoever asks is signed in: x-user says as whom; x-deny refuses.
  #authorize(query, headers) {
    const client = this.#client(query.get('client_id'));
    const uri = query.get('redirect_uri');
    if (client === undefined || !client.redirect_uris.includes(uri))
      return refuse('invalid_request', 'this client may not come back there');
    const back = (members) => {
      const to = new URL(uri);
      const all = over({ state: query.get('state'), iss: this.settings.iss === undefined
        ? this.issuer : this.settings.iss, ...members }, this.settings.answer);
      for (const [name, value] of Object.entries(all)) to.searchParams.set(name, value);
      return { status: 302, headers: { location: to.href }, body: '' };
    };
    if (query.get('response_type') !== 'code' ||
      query.get('code_challenge_method') !== 'S256' ||
      !/^[\w-]{43}$/.test(query.get('code_challenge') ?? ''))
      return back({ error: 'invalid_request', error_description: 'PKCE with S256 is needed' });
    if (!query.get('resource'))
      return back({ error: 'invalid_target', error_description: 'for which resource?' });
    if (headers['x-deny'])
      return back({ error: 'access_denied', error_description: decodeURIComponent(headers['x-deny']) });
    const code = random('code');
    this.codes.set(code, { client: client.id, uri, challenge: query.get('code_challenge'),
      resource: query.get('resource'), user: headers['x-user'] ?? 'alice',
      scope: this.settings.scope ?? query.get('scope') ?? '' });
    return back({ code });
  }

  #issue(grant, family) {
    const { life = 3600, refresh } = this.settings;
    const access = random('access');
    const now = Date.now();
    this.tokens.set(access, { ...grant, family, issuer: this.issuer, kind: 'access',
      expires: now + life * 1000 });
    const answer = { access_token: access, token_type: 'Bearer', expires_in: life,
      scope: grant.scope };
    if (refresh !== false) {
      answer.refresh_token = random('refresh');
      this.tokens.set(answer.refresh_token, { ...grant, family, issuer: this.issuer,
        kind: 'refresh' });
    }
    return json(200, over(answer, this.settings.token));
  }

  #token(form, headers) {
    const client = this.#known(form, headers);
    if (client === undefined)
      return refuse('invalid_client', 'who is that?', 401);
    const grant = form.get('grant_type') === 'authorization_code' ? this.#redeem(form, client)
      : form.get('grant_type') === 'refresh_token' ? this.#renew(form, client) : undefined;
    if (grant === undefined) return refuse('unsupported_grant_type', 'no such grant');
    if (typeof grant === 'string') return refuse('invalid_grant', grant);
    return this.#issue(grant.grant, grant.family);
  }

  #redeem(form, client) {
    const code = this.codes.get(form.get('code'));
    this.codes.delete(form.get('code')); // good once
    const hash = createHash('sha256').update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (code === undefined) return 'there is no such code';
    if (code.client !== client.id) return 'it is the code of another client';
    if (code.uri !== form.get('redirect_uri')) return 'the redirect URI was another';
    if (code.challenge !== hash) return 'the verifier is wrong';
    if (code.resource !== form.get('resource')) return 'the resource was another';
    const { user, resource, scope } = code;
    return { grant: { client: client.id, user, resource, scope }, family: random('family') };
  }

  #renew(form, client) {
    const token = this.tokens.get(form.get('refresh_token'));
    if (token === undefined || token.kind !== 'refresh' || token.issuer !== this.issuer ||
      token.client !== client.id) return 'there is no such token';
    if (token.isUsed) {
      // Somebody has a copy: nobody has one any more (OAuth 2.1 section 4.3.1).
      for (const [text, other] of this.tokens)
        if (other.family === token.family) this.tokens.delete(text);
      return 'the token was used before';
    }
    if (form.get('resource') !== token.resource) return 'the resource was another';
    token.isUsed = this.settings.refresh !== 'same';
    const { client: id, user, resource, scope, family } = token;
    return { grant: { client: id, user, resource, scope }, family };
  }

  #revoke(form, headers) {
    const client = this.#known(form, headers);
    if (client === undefined) return refuse('invalid_client', 'who is that?', 401);
    const token = this.tokens.get(form.get('token'));
    if (token?.client === client.id)
      for (const [text, other] of this.tokens)
        if (other.family === token.family) this.tokens.delete(text);
    return { status: 200, headers: {}, body: '' };
  }
}
