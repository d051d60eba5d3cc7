// SPDX-License-Identifier: Apache-2.0

// "The world": a second network namespace behind a veth pair, with a name
// server and origins that do what a test says, at addresses of the test's
// choice. Every address but the inside's own leads there: public-looking ones,
// private ones, that of a metadata service. So what cordon must refuse works
// without cordon, and each test can show that it does.
//
//   import '../lib/inside.mjs';       // first: private namespaces
//   import { World } from '../lib/world.mjs';
//
//   const world = await World.start();
//   await world.name('api.acme.net', { a: ['45.83.7.1'] });       // DNS
//   await world.https('api.acme.net', { address: '45.83.7.1' });  // an origin
//   await world.run(['curl', '-s', 'https://api.acme.net/echo']);  // the control
//   Host.start({ config: { ...world.config() } })
//   await world.requests();             // what the origins saw
//   await world.stop();
//
// Names are such as the public DNS could have: no rule takes "api.example".
//
// /etc/resolv.conf and /etc/ssl/certs are the world's (in this mount
// namespace), so programs need to be told nothing.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync, copyFileSync, chmodSync,
  realpathSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unshared } from './inside.mjs';
import { until } from './processes.mjs';

const MAIN = fileURLToPath(new URL('world/main.mjs', import.meta.url));

export const NAMESERVER = '45.83.0.53';
export const METADATA = '169.254.169.254';
const INSIDE = ['45.83.0.1', '2a0e:97c0:45::1'];
const OUTSIDE = ['45.83.0.2', '2a0e:97c0:45::2'];

// Words of `ip addr add`. No net around the IPv4 ones: the rest of it is
// elsewhere.
const linked = (own, peer) => [[own[0], 'peer', peer[0]],
  [`${own[1]}/64`, 'nodad']];

const ip = (...words) => execFileSync('ip', words,
  { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

export class World {
  #waiting = new Map();
  #last = 0;

  static async start() {
    const world = new World();
    await until('the link of an earlier world to vanish', () =>
      Object.keys(networkInterfaces()).every((name) => name === 'lo'));
    world.folder = mkdtempSync(join(tmpdir(), 'cordon-world-'));
    chmodSync(world.folder, 0o755);
    try {
      await world.#spawn();
      await world.#link();
      await world.#ask('names', { address: NAMESERVER });
      world.#mount();
    } catch (error) {
      world.child.kill('SIGKILL');
      throw error;
    }
    return world;
  }

  async #spawn() {
    const [program, ...words] = unshared(
      [process.execPath, MAIN, this.folder], ['--net'], 'TERM');
    this.child = spawn(program, words,
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.unref();
    this.pid = this.child.pid;
    this.ended = new Promise((done) => this.child.on('exit', done));
    const ready = new Promise((done, fail) => {
      this.child.on('error', fail);
      this.child.on('exit', () => {
        fail(new Error('the world ended'));
        for (const { fail: refuse } of this.#waiting.values()) {
          refuse(new Error('the world ended'));
        }
      });
      this.child.on('message', (message) => {
        if (message.ready) done();
        else this.#hear(message);
      });
    });
    ready.catch(() => {});
    await ready;
  }

  #hear({ id, value, error }) {
    const { done, fail } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.child.channel?.unref();
    if (error === undefined) done(value);
    else fail(new Error(error));
  }

  #ask(command, arg) {
    this.#last += 1;
    this.child.channel.ref();
    this.child.send({ id: this.#last, command, arg });
    return new Promise((done, fail) =>
      this.#waiting.set(this.#last, { done, fail }));
  }

  async #link() {
    ip('link', 'add', 'inside0', 'type', 'veth', 'peer', 'name', 'outside0',
      'netns', String(this.pid));
    const [v4, v6] = linked(INSIDE, OUTSIDE);
    ip('addr', 'add', ...v4, 'dev', 'inside0');
    this.hasV6 = true;
    try {
      ip('-6', 'addr', 'add', ...v6, 'dev', 'inside0');
    } catch {
      this.hasV6 = false; // a kernel without it
    }
    const n = this.hasV6 ? 2 : 1;
    await this.#ask('link', { device: 'outside0',
      own: linked(OUTSIDE, INSIDE).slice(0, n), peer: INSIDE.slice(0, n) });
    ip('link', 'set', 'inside0', 'up');
    ip('route', 'add', 'default', 'via', OUTSIDE[0]);
    if (this.hasV6) ip('-6', 'route', 'add', 'default', 'via', OUTSIDE[1]);
  }

  // Over files of this mount namespace alone (inside.mjs).
  #mount() {
    const certs = join(this.folder, 'certs');
    mkdirSync(certs);
    this.ca = join(certs, 'ca-certificates.crt');
    copyFileSync(join(this.folder, 'ca.pem'), this.ca);
    copyFileSync(this.ca, join(certs, 'world.pem'));
    execFileSync('openssl', ['rehash', certs], { stdio: 'ignore' });
    const resolv = join(this.folder, 'resolv.conf');
    writeFileSync(resolv, `nameserver ${NAMESERVER}\n`);
    this.mounts = [[certs, '/etc/ssl/certs'],
      [resolv, realpathSync('/etc/resolv.conf')]];
    for (const [from, to] of this.mounts) {
      execFileSync('mount', ['--bind', from, to]);
    }
  }

  // For `cordon serve --config`.
  config() {
    return { egress: { nameservers: [NAMESERVER], ca: this.ca } };
  }

  // For programs that bring roots of their own.
  get env() {
    return { ...process.env, NODE_EXTRA_CA_CERTS: this.ca,
      SSL_CERT_FILE: this.ca };
  }

  // What the name server says (world/dns.mjs).
  name(name, script) {
    return this.#ask('name', { name, script });
  }

  // Origins. `handler`: a function of { request, response, words, query,
  // connection, pages }, run in the world: it sees nothing of the test. Without
  // one, the path says what is done (world/pages.mjs).
  http(name, { port = 80, handler, ...where }) {
    return this.#ask('http',
      { name, port, handler: handler && String(handler), ...where });
  }

  // certificate: names; days: -1 has expired; authority: 'other' is unknown;
  // h2: false for HTTP/1.1 alone.
  https(name, { port = 443, handler, ...where }) {
    return this.#ask('https',
      { name, port, handler: handler && String(handler), ...where });
  }

  // say: bytes or text at once; then: 'close', 'hold', 'echo', 'reset'. Or a
  // handler of { socket }.
  tcp(name, { say, handler, ...where }) {
    return this.#ask('tcp', { name, ...where,
      say: say && Buffer.from(say).toString('base64'),
      handler: handler && String(handler) });
  }

  // { key, cert }, as PEM, for a program's own TLS.
  certificate(names) {
    return this.#ask('certificate', { names });
  }

  // A name and what it serves, in one: http at 80, https at 443.
  async site(name, address, more = {}) {
    await this.name(name, address.includes(':') ? { aaaa: [address] }
      : { a: [address] });
    await this.http(name, { address, ...more });
    await this.https(name, { address, ...more });
  }

  close(address, port) {
    return this.#ask('close', { address, port });
  }

  silence(address) {
    return this.#ask('silence', { address });
  }

  // A program out there (a database, a server in C); its first line.
  program(words, env) {
    return this.#ask('run', { words, env });
  }

  connections() {
    return this.#ask('connections');
  }

  requests() {
    return this.#ask('requests');
  }

  questions() {
    return this.#ask('questions');
  }

  // Of what was seen until now.
  forget() {
    return this.#ask('forget');
  }

  // A program on the inside, without cordon: the control.
  run(words, { input, env, timeout = 30_000, ...more } = {}) {
    return new Promise((done, fail) => {
      const child = spawn(words[0], words.slice(1), { timeout,
        stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        env: { ...this.env, ...env }, ...more });
      const heard = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr']) {
        child[name].on('data', (bytes) => { heard[name] += bytes; });
      }
      child.on('error', fail);
      child.on('close', (code, signal) => done({ code, signal, ...heard }));
      if (input !== undefined) child.stdin.end(input);
    });
  }

  async stop() {
    for (const [, to] of this.mounts.reverse()) {
      execFileSync('umount', ['--lazy', to]);
    }
    this.child.removeAllListeners('exit');
    const ended = new Promise((done) => this.child.on('exit', done));
    ip('link', 'del', 'inside0');
    this.child.ref();
    this.child.disconnect();
    await ended; // the folder went with it
  }
}
