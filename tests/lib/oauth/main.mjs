// SPDX-License-Identifier: Apache-2.0

// The program in the world behind tests/lib/oauth.mjs: authorization servers and
// the MCP servers that they are for, told apart by Host. Prints its port.

import { createServer } from 'node:http';
import { Authority } from './authority.mjs';
import { Resource, SdkOnly } from './resource.mjs';

const hosts = new Map();
const tokens = new Map();
const seen = [];
const open = new Set();

const verify = (text) => {
  const token = tokens.get(text);
  return token?.kind === 'access' && token.expires > Date.now() ? token : undefined;
};

// The document of a client, as an authorization server would fetch it.
const documentOf = (id) => {
  const { host, pathname } = new URL(id);
  const page = hosts.get(host)?.settings.pages?.[pathname];
  return page && JSON.parse(page.body);
};

const makers = { authority: (host) => new Authority(host, tokens, documentOf),
  resource: (host) => new Resource(host, verify), sdk: (host) => new SdkOnly(host),
  page: () => ({ handle: () => ({ status: 404, headers: {}, body: 'not here' }) }) };

const commands = {
  add: ({ host, kind }) => hosts.set(host, Object.assign(makers[kind](host), { kind })),
  // What is not named is the honest again.
  set: ({ host, settings }) => { hosts.get(host).settings = settings; },
  seen: () => seen,
  forget: () => {
    seen.splice(0);
  },
  tokens: () => [...tokens].map(([text, token]) => ({ text, ...token })),
  // A token that is none from now on.
  drop: ({ text }) => {
    tokens.delete(text);
  },
  // Ends those that got no answer.
  release: () => {
    for (const response of open) response.destroy();
    return open.size;
  },
};

// settings.pages: { PATH: { status, headers, body, pad, hang } } instead of all
// that is there.
function page({ status = 200, headers = {}, body = '', pad = 0, hang }, response) {
  if (hang) {
    open.add(response);
    response.on('close', () => open.delete(response));
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body + ' '.repeat(pad));
}

async function answer(request, response) {
  const host = hosts.get(request.headers.host);
  const url = new URL(request.url, 'http://x');
  const one = { host: request.headers.host, method: request.method, path: url.pathname,
    query: url.search, headers: request.headers };
  if (host === undefined || host.settings.pages?.[url.pathname] || host.handle) {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    seen.push({ ...one, body });
    if (host === undefined) return response.writeHead(404).end();
    const other = host.settings.pages?.[url.pathname];
    if (other) return page(other, response);
    const said = host.handle({ ...one, body, query: url.searchParams });
    return response.writeHead(said.status, said.headers).end(said.body);
  }
  seen.push(one);
  return host.app(request, response);
}

const server = createServer(async (request, response) => {
  response.on('error', () => {});
  try {
    if (request.headers.host !== 'control') return await answer(request, response);
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const { command, ...more } = JSON.parse(text);
    const value = commands[command](more);
    return response.end(JSON.stringify(command === 'add' ? null : value ?? null));
  } catch (error) {
    console.error(error);
    return response.writeHead(500).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
