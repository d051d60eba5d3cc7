// SPDX-License-Identifier: Apache-2.0

// Authorization servers and protected MCP servers in the world (world.mjs), and
// a person with a browser on this side of it.
//
//   const oauth = await Oauth.start(world);
//   await oauth.add('auth.acme.net', 'authority', '45.83.8.1');
//   await oauth.add('mcp.acme.net', 'resource', '45.83.8.2',
//     { issuers: ['https://auth.acme.net'] });
//   const { code, row } = await oauth.signIn(host, 'files', { user: 'bob' });
//   await oauth.set('auth.acme.net', { metadata: { issuer: 'https://evil.net' } });
//   await oauth.seen({ host: 'auth.acme.net', path: '/token' });
//
// What can be set: oauth/authority.mjs, oauth/resource.mjs, oauth/main.mjs.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sealKey } from './begin.mjs';
import { cordon } from './paths.mjs';

const MAIN = fileURLToPath(new URL('oauth/main.mjs', import.meta.url));
const CONTROL = '45.83.8.250';

// What TLS is ended by, out there.
const handOn = (port, host) => String(({ request, response }) => {
  const headers = Object.fromEntries(Object.entries(request.headers)
    .filter(([name]) => name[0] !== ':' && name !== 'connection'));
  const inner = process.getBuiltinModule('node:http').request({ port: 'PORT',
    host: '127.0.0.1', method: request.method, path: request.url,
    headers: { ...headers, host: 'HOST' ?? request.authority } }, (answer) => {
    const back = Object.entries(answer.headers).filter(([name]) =>
      !['connection', 'keep-alive', 'transfer-encoding'].includes(name));
    response.writeHead(answer.statusCode, Object.fromEntries(back));
    response.flushHeaders?.();
    answer.pipe(response);
  });
  inner.on('error', () => response.destroy?.());
  response.on('close', () => inner.destroy());
  request.pipe(inner);
}).replace('\'PORT\'', `${port}`).replace('\'HOST\'', `'${host}'`);

export class Oauth {
  static async start(world) {
    const oauth = new Oauth();
    oauth.world = world;
    const { said } = await world.program([process.execPath, MAIN]);
    oauth.port = Number(said);
    await world.http('control', { address: CONTROL, handler: handOn(oauth.port, 'control') });
    return oauth;
  }

  #ask(command, more = {}) {
    return new Promise((done, fail) => {
      const request = http.request({ host: CONTROL, method: 'POST', agent: false },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (bytes) => { text += bytes; });
          response.on('end', () => response.statusCode === 200 ? done(JSON.parse(text))
            : fail(new Error(`${command}: ${text}`)));
        });
      request.on('error', fail);
      request.end(JSON.stringify({ command, ...more }));
    });
  }

  // kind: 'authority', 'resource', 'sdk' (both, of the SDK alone), 'page'.
  async add(host, kind, address, settings = {}) {
    await this.#ask('add', { host, kind });
    await this.set(host, settings);
    await this.world.name(host, { a: [address] });
    await this.world.https(host, { address, handler: handOn(this.port, host) });
  }

  // Instead of all that was set before.
  set(host, settings = {}) {
    return this.#ask('set', { host, settings });
  }

  // What came, with its body; `want`: members that it has.
  async seen(want = {}) {
    return (await this.#ask('seen')).filter((one) =>
      Object.entries(want).every(([name, value]) => one[name] === value));
  }

  // The forms that came to a token endpoint.
  async forms(host, path = '/token') {
    return (await this.seen({ host, path, method: 'POST' })).map(({ body, headers }) =>
      ({ ...Object.fromEntries(new URLSearchParams(body)),
        ...headers.authorization && { authorization: headers.authorization } }));
  }

  forget() {
    return this.#ask('forget');
  }

  tokens() {
    return this.#ask('tokens');
  }

  drop(text) {
    return this.#ask('drop', { text });
  }

  release() {
    return this.#ask('release');
  }

  // One request of a browser; the world's names, its authority.
  get(url, headers = {}) {
    return new Promise((done, fail) => {
      const { protocol } = new URL(url);
      const request = (protocol === 'https:' ? https : http).get(url, { agent: false,
        headers, ...protocol === 'https:' && { ca: readFileSync(this.world.ca) } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (bytes) => { text += bytes; });
        response.on('end', () => done({ status: response.statusCode, text,
          location: response.headers.location }));
      });
      request.on('error', fail);
    });
  }

  // As far as redirects lead; where it would go, `until` says to stop.
  async browse(url, { user = 'alice', deny, until = () => false } = {}) {
    let answer;
    for (let at = url; at !== undefined && !until(at); at = answer.location) {
      const isOurs = new URL(at).protocol === 'http:';
      answer = await this.get(at, isOurs ? {}
        : { 'x-user': user, ...deny && { 'x-deny': encodeURIComponent(deny) } });
      if (answer.location && until(answer.location)) break;
    }
    return answer;
  }

  // `cordon upstream login`, and the person before it: where the host said a URL,
  // it is opened.
  async signIn(host, server, { words = [], input, ...who } = {}) {
    const child = start(host, ['upstream', 'login', server, '--json', ...words], input);
    await child.line;
    const lines = () => child.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const [asked] = lines();
    const page = asked && await this.browse(asked.url, who);
    const code = await child.ended;
    return { code, asked, page, row: lines()[1], stderr: child.stderr };
  }

  // `cordon WORDS` of this host; the last may be { input }.
  async cordon(host, ...words) {
    const { input } = typeof words.at(-1) === 'object' ? words.pop() : {};
    const child = start(host, words, input);
    const code = await child.ended;
    return { code, stdout: child.stdout, stderr: child.stderr };
  }

  // Asks for a sign-in as the command would, whatever it answers.
  async begin(host, body, { tenant, token } = {}) {
    const publicKey = readFileSync(join(host.folder, 'state/vault.pub'), 'utf8').trim();
    return this.api(host, 'POST', '/logins',
      { key: sealKey(publicKey, body, { tenant }), ...body }, token);
  }

  // The admin API, whatever it answers.
  async api(host, method, path, body, token = host.token) {
    const response = await fetch(`${host.url}/admin${path}`, { method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, ...text !== '' && JSON.parse(text) };
  }
}

// A command line as it goes on; `line`: it has said one, or has ended.
function start(host, words, input = '') {
  const child = spawn(cordon, words,
    { env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
  const heard = { stdout: '', stderr: '' };
  heard.ended = new Promise((done) => child.on('close', done));
  heard.line = new Promise((done) => {
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => {
        heard[name] += text;
        if (heard.stdout.includes('\n')) done();
      });
    heard.ended.then(done);
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return heard;
}
