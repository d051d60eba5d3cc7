// SPDX-License-Identifier: Apache-2.0

// The store's end of its stream (src/wire/registry.h), in JavaScript: records
// are written by the places that launch-gateway tells.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

export const FRAME = { KEY: 1, TENANT: 2, TOKEN: 3, SERVER: 4, ENDED: 5,
  SNAPSHOT: 6, REPLY: 7, ADMIN: 8, AUDIT: 9, SURFACE: 10,
  KEPT: 11, KNOWN: 12 };
export const SCOPE = { read: 1, call: 2, admin: 4, all: 7 };
export const STATE = { quarantined: 0, approved: 1, changed: 2, denied: 3 };

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const KEY = sha256('key');

const text = (bytes, at, size) =>
  bytes.toString('utf8', at, bytes.indexOf(0, at)).slice(0, size);

export class FakeStore {
  constructor(layout) {
    this.layout = layout;
    this.frames = [];
    this.onAdmin = () => [404, { error: 'no such thing' }];
  }

  async connect(path) {
    this.socket = connect(path);
    await once(this.socket, 'connect');
    let rest = Buffer.alloc(0), chunks = [], waiting = 0, need = 0;
    this.closed = false;
    this.ended = new Promise((resolve) => {
      this.socket.on('close', () => { this.closed = true; resolve(); });
    });
    this.socket.on('error', () => {}).on('data', (chunk) => {
      chunks.push(chunk);
      waiting += chunk.length;
      if (waiting < need) return;
      rest = Buffer.concat([rest, ...chunks]);
      [chunks, waiting, need] = [[], 0, 0];
      for (;;) {
        if (rest.length < this.layout.frame) break;
        const len = rest.readUInt32LE(this.layout['frame.len']);
        need = this.layout.frame + len - rest.length;
        if (need > 0) break;
        const payload = rest.subarray(this.layout.frame, this.layout.frame + len);
        this.#take(rest.readUInt32LE(0),
          rest.readUInt32LE(this.layout['frame.reserved']), Buffer.from(payload));
        rest = rest.subarray(this.layout.frame + len);
      }
    });
    return this;
  }

  #take(type, id, payload) {
    const at = (field) => this.layout[field];
    const frame = { type, id, payload };
    if (type === FRAME.ADMIN) {
      Object.assign(frame, {
        tokenHash: payload.subarray(0, 32).toString('hex'),
        method: text(payload, at('admin.method'), 8),
        path: text(payload, at('admin.path'), 512),
        request: text(payload, at('admin.request'), 20),
        body: payload.subarray(at('admin')),
      });
    }
    if (type === FRAME.AUDIT) {
      Object.assign(frame, {
        principal: payload.readUInt32LE(0),
        request: text(payload, at('audit.request'), 20),
        action: text(payload, at('audit.action'), 32),
        boot: payload.subarray(at('audit.boot'), at('audit.boot') + 12),
        sequence: Number(payload.readBigUInt64LE(at('audit.sequence'))),
        json: payload.subarray(at('audit')).toString(),
      });
    }
    this.frames.push(frame);
    if (type !== FRAME.ADMIN) return;
    const answer = this.onAdmin(frame);
    if (answer) this.reply(id, ...answer);
  }

  raw(bytes) { this.socket.write(bytes); }

  frame(type, payload = Buffer.alloc(0), { id = 0, code = 0, len } = {}) {
    const head = Buffer.alloc(this.layout.frame);
    head.writeUInt32LE(type, 0);
    head.writeUInt32LE(len ?? payload.length, this.layout['frame.len']);
    head.writeInt32LE(code, this.layout['frame.code']);
    head.writeUInt32LE(id, this.layout['frame.reserved']);
    this.raw(Buffer.concat([head, payload]));
  }

  reply(id, code, json) {
    this.frame(FRAME.REPLY, Buffer.from(JSON.stringify(json)), { id, code });
  }

  #quota(bytes, at, quota = {}) {
    for (const [name, value] of Object.entries(quota)) {
      const place = at + this.layout[`quota.${name}`];
      if (/ms|bytes/.test(name)) bytes.writeBigUInt64LE(BigInt(value), place);
      else bytes.writeUInt32LE(value, place);
    }
  }

  key(key = KEY) { this.frame(FRAME.KEY, key); }

  tenant(id, name, { gone = 0, quota } = {}) {
    const bytes = Buffer.alloc(this.layout.tenant);
    bytes.writeUInt32LE(id, 0);
    bytes.writeUInt32LE(gone, this.layout['tenant.gone']);
    bytes.write(name, this.layout['tenant.name']);
    this.#quota(bytes, this.layout['tenant.quota'], quota);
    this.frame(FRAME.TENANT, bytes);
  }

  token(id, token, { tenant = 1, scopes = SCOPE.all, expires = 0, gone = 0,
    servers = '', name = `token-${id}`, quota } = {}) {
    const bytes = Buffer.alloc(this.layout.token);
    const at = (field) => this.layout[`token.${field}`];
    bytes.writeUInt32LE(id, 0);
    bytes.writeUInt32LE(gone, at('gone'));
    bytes.writeUInt32LE(tenant, at('tenant'));
    bytes.writeUInt32LE(scopes, at('scopes'));
    bytes.writeBigUInt64LE(BigInt(expires), at('expires'));
    sha256(sha256(token)).copy(bytes, at('hash'));
    bytes.write(name, at('name'));
    bytes.write(servers, at('servers'));
    this.#quota(bytes, at('quota'), quota);
    this.frame(FRAME.TOKEN, bytes);
  }

  server(id, name, { tenant = 1, state = STATE.approved, gone = 0, kind = 0,
    digest = name, url = '', share = 0, wallMs = 0, resultBytes = 0 } = {}) {
    const bytes = Buffer.alloc(this.layout.server);
    const launch = (field) =>
      this.layout['server.launch'] + this.layout[`deployment.${field}`];
    bytes.writeUInt32LE(id, 0);
    bytes.writeUInt32LE(gone, this.layout['server.gone']);
    bytes.writeUInt32LE(tenant, this.layout['server.tenant']);
    bytes.writeUInt32LE(state, this.layout['server.state']);
    bytes.writeUInt32LE(kind, launch('kind'));
    bytes.writeUInt32LE(4, launch('pool_max'));
    bytes.writeUInt32LE(share, launch('share'));
    bytes.writeBigUInt64LE(BigInt(wallMs) * 1_000_000n, launch('limits.wall_ns'));
    bytes.writeBigUInt64LE(BigInt(resultBytes), launch('limits.result_bytes'));
    bytes.write(url, launch('url'));
    sha256(digest).copy(bytes, launch('digest'));
    bytes.write(name, launch('name'));
    bytes.write('local', launch('tenant'));
    this.frame(FRAME.SERVER, bytes);
  }

  snapshot() { this.frame(FRAME.SNAPSHOT); }

  // Up to this record of a gateway's life it is durable.
  kept({ boot, sequence }) {
    const bytes = Buffer.alloc(24);
    boot.copy(bytes);
    bytes.writeBigUInt64LE(BigInt(sequence), 16);
    this.frame(FRAME.KEPT, bytes);
  }

  // What most tests need: one tenant, one token, the fake pool's servers.
  usual() {
    this.key();
    this.tenant(1, 'local');
    this.token(1, 'letmein', { name: 'first' });
    ['tools', 'fetch', 'broken', 'late', 'liar'].forEach((name, i) =>
      this.server(i + 1, name));
    return this;
  }

  // Ends it as a kill does.
  kill() {
    this.socket.destroy();
    return this.ended;
  }
}
