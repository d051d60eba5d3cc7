// SPDX-License-Identifier: Apache-2.0

// What the tests of doors share: a world, an egress with an authority, boxes,
// and ClientHellos that no library would send.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../lib/paths.mjs';
import { Egress, ends } from '../lib/egress.mjs';
import { Box } from '../lib/egress-box.mjs';
import { World } from '../lib/world.mjs';

const SPEAK = fileURLToPath(new URL('speak.mjs', import.meta.url));

export class Doors {
  static #count = 0;

  static async start(options = {}) {
    const doors = new Doors();
    doors.world = await World.start();
    const folder = join(doors.world.folder, 'authority');
    execFileSync(join(build, 'cordon-egress'), ['--authority', folder]);
    doors.ca = join(folder, 'cert.pem');
    const pem = join(folder, 'both.pem');
    writeFileSync(pem, readFileSync(join(folder, 'key.pem'), 'utf8') +
      readFileSync(doors.ca, 'utf8'), { mode: 0o600 });
    // What a box would trust: the world's roots, and ours.
    doors.trust = join(folder, 'trust.pem');
    writeFileSync(doors.trust, readFileSync(doors.world.ca, 'utf8') +
      readFileSync(doors.ca, 'utf8'));
    doors.egress = await Egress.start(doors.world,
      { authority: pem, ...options });
    return doors;
  }

  async stop() {
    await this.egress.stop();
    await this.world.stop();
  }

  // A server with these rules, and a box of it; its id is new.
  async box(rules, { ports, addresses, secrets, budget } = {}) {
    const id = ++Doors.#count;
    await this.egress.server(id, { rules, secrets, budget });
    const box = await Box.open(this.egress, this.world, id,
      { ports, addresses, number: id });
    box.events = () => this.egress.events.filter(
      ({ deployment }) => deployment === id);
    box.event = (condition = () => true) => this.egress.event((event) =>
      event.deployment === id && condition(event))
      .then((event) => ({ ...event, end: ends[event.end] }));
    box.curl = (...words) => box.run(['curl', '-sS', '--max-time', '30',
      '--cacert', this.trust, ...words]);
    box.speak = (...words) => speak(box, ...words);
    return box;
  }

  speak(...words) {
    return speak(this.world, ...words);
  }

  folder(name) {
    const folder = join(this.world.folder, name);
    mkdirSync(folder);
    return folder;
  }
}

async function speak(runner, host, port, pieces, more = {}) {
  const list = (Array.isArray(pieces) ? pieces : [pieces])
    .map((piece) => Buffer.from(piece, 'latin1').toString('hex'));
  const { stdout, stderr } = await runner.run([process.execPath, SPEAK, host,
    String(port)], { input: JSON.stringify({ pieces: list, ...more }) });
  if (stdout === '') throw new Error(stderr);
  const { hex, ...rest } = JSON.parse(stdout);
  return { ...rest, bytes: Buffer.from(hex, 'hex'),
    text: Buffer.from(hex, 'hex').toString('latin1') };
}

const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const sized = (bytes) => Buffer.concat([u16(bytes.length), bytes]);

export const extension = (type, body) =>
  Buffer.concat([u16(type), sized(Buffer.from(body))]);

export const serverName = (name) => {
  const bytes = Buffer.from(name, 'latin1');
  return extension(0, sized(Buffer.concat([Buffer.from([0]), sized(bytes)])));
};

// TLS 1.2's, so that an origin answers with its certificate in clear.
const MODERN = Buffer.concat([
  extension(10, sized(Buffer.concat([u16(29), u16(23)]))),
  extension(11, [1, 0]),
  extension(13, sized(Buffer.concat([u16(0x0403), u16(0x0804), u16(0x0401)]))),
]);

export function clientHello(...extensions) {
  const ciphers = Buffer.concat([u16(0xc02b), u16(0xc02f), u16(0xc02c),
    u16(0xc030)]);
  const body = Buffer.concat([u16(0x0303), Buffer.alloc(32, 7),
    Buffer.from([0]), sized(ciphers), Buffer.from([1, 0]),
    sized(Buffer.concat([...extensions, MODERN]))]);
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
}

// In records of at most so many bytes.
export function records(message, max = 16384) {
  const parts = [];
  for (let at = 0; at < message.length; at += max) {
    parts.push(Buffer.concat([Buffer.from([22, 3, 1]),
      sized(message.subarray(at, at + max))]));
  }
  return parts;
}

// What came back: 'ServerHello', the name of an alert, or nothing.
export function tlsAnswer({ bytes }) {
  if (bytes.length === 0) return 'nothing';
  if (bytes[0] === 22) return 'ServerHello';
  const alerts = { 49: 'access_denied', 80: 'internal_error',
    112: 'unrecognized_name', 40: 'handshake_failure',
    120: 'no_application_protocol' };
  return bytes[0] === 21 ? alerts[bytes[6]] ?? `alert ${bytes[6]}` : 'other';
}
