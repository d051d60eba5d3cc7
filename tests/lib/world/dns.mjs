// SPDX-License-Identifier: Apache-2.0

// A name server that says what it is told to say, true or not.
//
// A name's script is an answer, or a list of them: one for each question of a
// type, the last for all that follow. An answer:
//   { a: [], aaaa: [], cname, ttl, rcode }   what it seems
//   silence: true      nothing is said
//   delay: ms          it is said late
//   truncate: true     over UDP only that it is longer
//   spoof: 'id' | 'name' | 'port'            not what was asked
//   loop: true         a compressed name that points at itself
//   pad: n             n more address records (of `a`, or 45.83.99.x)
//   raw: base64        these bytes, behind the question's id
//   cut: n             only the first n bytes

import dgram from 'node:dgram';
import net from 'node:net';

const TYPES = { 1: 'a', 28: 'aaaa' };
const CNAME = 5;
const CNAMES_MAX = 16;

function nameBytes(name) {
  const labels = name.split('.').filter(Boolean).map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function v6Bytes(text) {
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (v4) {
    const [a, b, c, d] = v4.slice(2).map(Number);
    text = `${v4[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head, tail] = text.split('::').map((part) =>
    part === '' ? [] : part.split(':'));
  const words = tail === undefined ? head
    : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(words.flatMap((word) => {
    const n = parseInt(word, 16);
    return [n >> 8, n & 255];
  }));
}

const addressBytes = (text) => text.includes(':') ? v6Bytes(text)
  : Buffer.from(text.split('.').map(Number));

function record(owner, type, ttl, data) {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttl, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, head, data]);
}

function questionOf(message) {
  let at = 12;
  const labels = [];
  while (message[at] > 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
    at += 1 + message[at];
  }
  return {
    name: labels.join('.').toLowerCase(),
    type: message.readUInt16BE(at + 1),
    bytes: message.subarray(12, at + 5),
  };
}

export class Names {
  #scripts = new Map();
  #asked = new Map();
  questions = [];

  async listen(address, port = 53) {
    const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (message, from) => this.#answer(message, 'udp',
      (bytes, spoof) => this.#sendUdp(udp, bytes, from, spoof)));
    const tcp = net.createServer((socket) => this.#serve(socket));
    await new Promise((done, fail) => {
      udp.on('error', fail).bind(port, address, done);
    });
    await new Promise((done, fail) => {
      tcp.on('error', fail).listen(port, address, done);
    });
  }

  set(name, script) {
    this.#scripts.set(name.toLowerCase(), [script].flat());
    for (const type of ['a', 'aaaa']) this.#asked.delete(`${name} ${type}`);
  }

  #sendUdp(udp, bytes, from, spoof) {
    if (spoof !== 'port') {
      udp.send(bytes, from.port, from.address);
      return;
    }
    const other = dgram.createSocket('udp4');
    other.send(bytes, from.port, from.address, () => other.close());
  }

  #serve(socket) {
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const len = rest.readUInt16BE(0);
        this.#answer(rest.subarray(2, 2 + len), 'tcp', (answer) => {
          const size = Buffer.alloc(2);
          size.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([size, answer]));
        });
        rest = rest.subarray(2 + len);
      }
    });
  }

  // The script's next answer for this question.
  #next(name, type) {
    const script = this.#scripts.get(name) ??
      this.#scripts.get(name.replace(/^[^.]+/, '*'));
    if (script === undefined) return { rcode: 3 };
    const key = `${name} ${type}`;
    const n = this.#asked.get(key) ?? 0;
    this.#asked.set(key, n + 1);
    return script[Math.min(n, script.length - 1)];
  }

  #answer(message, over, send) {
    if (message.length < 17) return;
    const question = questionOf(message);
    const type = TYPES[question.type] ?? String(question.type);
    this.questions.push({ name: question.name, type, over });
    const answer = this.#next(question.name, type);
    if (answer.silence) return;
    const bytes = this.#bytes(message, question, type, answer, over);
    setTimeout(() => send(bytes, answer.spoof), answer.delay ?? 0);
  }

  #bytes(message, question, type, answer, over) {
    const id = Buffer.from(message.subarray(0, 2));
    if (answer.spoof === 'id') id[0] ^= 0x55;
    if (answer.raw !== undefined) {
      return Buffer.concat([id, Buffer.from(answer.raw, 'base64')]);
    }
    const records = answer.truncate && over === 'udp' ? []
      : this.#records(question, type, answer);
    const head = Buffer.alloc(10);
    const flags = 0x8180 | (answer.rcode ?? 0) |
      (answer.truncate && over === 'udp' ? 0x0200 : 0);
    head.writeUInt16BE(flags, 0);
    head.writeUInt16BE(1, 2);
    head.writeUInt16BE(records.length, 4);
    const asked = answer.spoof === 'name'
      ? Buffer.concat([nameBytes('other.acme.net'),
        question.bytes.subarray(-4)])
      : question.bytes;
    const bytes = Buffer.concat([id, head, asked, ...records]);
    return answer.cut === undefined ? bytes : bytes.subarray(0, answer.cut);
  }

  #records(question, type, answer) {
    const records = [];
    let owner = answer.loop ? Buffer.from([0xc0, 12 + question.bytes.length])
      : Buffer.from([0xc0, 12]);
    for (let n = 0; answer.cname !== undefined && n < CNAMES_MAX; n += 1) {
      const target = nameBytes(answer.cname);
      records.push(record(owner, CNAME, answer.ttl ?? 0, target));
      owner = target;
      answer = this.#next(answer.cname, type);
    }
    const addresses = [...answer[type] ?? []];
    for (let n = 0; n < (answer.pad ?? 0) && type === 'a'; n += 1) {
      addresses.push(`45.83.${100 + (n >> 8)}.${n & 255}`);
    }
    for (const address of addresses) {
      records.push(record(owner, address.includes(':') ? 28 : 1,
        answer.ttl ?? 0, addressBytes(address)));
    }
    return records;
  }
}
