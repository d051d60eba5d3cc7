// SPDX-License-Identifier: Apache-2.0
// AES (FIPS 197) and its modes CBC, CTR (SP 800-38A) and GCM (SP 800-38D). With
// small tables on purpose: a cell uses them once, big ones cost more to make
// than they save. (Nobody else's secrets are in a cell to be timed.)

import { ghash } from '@noble/ciphers/_polyval.js';

const BLOCK = 16;
const TAG = 16;

const sbox = new Uint8Array(256);
const inverse = new Uint8Array(256);
const table = new Uint32Array(256); // column of MixColumns for sbox[x]
const inverseTable = new Uint32Array(256); // and of its inverse, for x

const double = (x) => ((x << 1) ^ (x & 0x80 ? 0x11b : 0)) & 0xff;
const rotate = (x, bits) => (x >>> bits) | (x << (32 - bits));

function makeTables() {
  let p = 1;
  let q = 1; // always the reciprocal of p
  do {
    p ^= double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= (q << 4) & 0xff;
    q = (q ^ (q & 0x80 ? 0x09 : 0)) & 0xff;
    const wide = q | (q << 8);
    const mixed = q ^ (wide >> 7) ^ (wide >> 6) ^ (wide >> 5) ^ (wide >> 4);
    sbox[p] = (mixed ^ 0x63) & 0xff;
  } while (p !== 1);
  sbox[0] = 0x63;
  for (let x = 0; x < 256; x++) {
    const s = sbox[x];
    inverse[s] = x;
    table[x] = (double(s) << 24) | (s << 16) | (s << 8) | (s ^ double(s));
    const [x2, x4] = [double(x), double(double(x))];
    const x8 = double(x4);
    inverseTable[x] = ((x8 ^ x4 ^ x2) << 24) | ((x8 ^ x) << 16) |
        ((x8 ^ x4 ^ x) << 8) | (x8 ^ x2 ^ x);
  }
}

makeTables();

const subWord = (w) => (sbox[w >>> 24] << 24) | (sbox[(w >>> 16) & 255] << 16) |
    (sbox[(w >>> 8) & 255] << 8) | sbox[w & 255];

/** The round keys, as words. */
function expand(key) {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const n = key.length / 4;
  const words = new Uint32Array(4 * (n + 7));
  let constant = 1;
  for (let i = 0; i < words.length; i++) {
    let word = i < n ? view.getUint32(4 * i) : words[i - 1];
    if (i >= n && i % n === 0) {
      word = subWord(rotate(word, 24)) ^ (constant << 24);
      constant = double(constant);
    } else if (n > 6 && i % n === 4 && i >= n) {
      word = subWord(word);
    }
    words[i] = i < n ? word : word ^ words[i - n];
  }
  return words;
}

/** Encrypts the four words of a block in place. */
function encryptBlock(keys, s) {
  for (let i = 0; i < 4; i++)
    s[i] ^= keys[i];
  const t = new Uint32Array(4);
  let k = 4;
  for (; k < keys.length - 4; k += 4) {
    for (let i = 0; i < 4; i++) {
      t[i] = table[s[i] >>> 24] ^
          rotate(table[(s[(i + 1) & 3] >>> 16) & 255], 8) ^
          rotate(table[(s[(i + 2) & 3] >>> 8) & 255], 16) ^
          rotate(table[s[(i + 3) & 3] & 255], 24) ^ keys[k + i];
    }
    s.set(t);
  }
  for (let i = 0; i < 4; i++) {
    t[i] = subWord((s[i] & 0xff000000) | (s[(i + 1) & 3] & 0xff0000) |
        (s[(i + 2) & 3] & 0xff00) | (s[(i + 3) & 3] & 0xff)) ^ keys[k + i];
  }
  s.set(t);
}

const mixBack = (w) => inverseTable[w >>> 24] ^
    rotate(inverseTable[(w >>> 16) & 255], 8) ^
    rotate(inverseTable[(w >>> 8) & 255], 16) ^
    rotate(inverseTable[w & 255], 24);

/** Decrypts the four words of a block in place. */
function decryptBlock(keys, s) {
  const last = keys.length - 4;
  for (let i = 0; i < 4; i++)
    s[i] ^= keys[last + i];
  const t = new Uint32Array(4);
  for (let k = last - 4; k >= 0; k -= 4) {
    for (let i = 0; i < 4; i++) {
      const word = (inverse[s[i] >>> 24] << 24) |
          (inverse[(s[(i + 3) & 3] >>> 16) & 255] << 16) |
          (inverse[(s[(i + 2) & 3] >>> 8) & 255] << 8) |
          inverse[s[(i + 1) & 3] & 255];
      t[i] = k === 0 ? word ^ keys[i] : mixBack(word ^ keys[k + i]);
    }
    s.set(t);
  }
}

const viewOf = (bytes) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function load(words, view, at) {
  for (let i = 0; i < 4; i++)
    words[i] = view.getUint32(at + 4 * i);
}

function store(words, view, at) {
  for (let i = 0; i < 4; i++)
    view.setUint32(at + 4 * i, words[i]);
}

/** Adds one to the last `bits` of a counter block. */
function increment(counter, bits) {
  for (let i = BLOCK - 1; i >= 0 && bits > 0; i--, bits -= 8) {
    const mask = bits >= 8 ? 0xff : (1 << bits) - 1;
    const next = (counter[i] + 1) & mask;
    counter[i] = (counter[i] & ~mask) | next;
    if (next !== 0)
      return;
  }
}

/** Counter mode, both directions. */
function crypt(keys, start, bits, data) {
  const counter = start.slice();
  const pad = new Uint8Array(BLOCK);
  const words = new Uint32Array(4);
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += BLOCK) {
    load(words, viewOf(counter), 0);
    encryptBlock(keys, words);
    store(words, viewOf(pad), 0);
    for (let i = at; i < at + BLOCK && i < data.length; i++)
      out[i] = data[i] ^ pad[i - at];
    increment(counter, bits);
  }
  return out;
}

export function ctr(key, counter, bits) {
  const keys = expand(key);
  const run = (data) => {
    if (bits < 53 && Math.ceil(data.length / BLOCK) > 2 ** bits)
      throw new RangeError('the counter would repeat');
    return crypt(keys, counter, bits, data);
  };
  return { encrypt: run, decrypt: run };
}

function encryptCbc(keys, iv, data) {
  const length = data.length + BLOCK - data.length % BLOCK;
  const out = new Uint8Array(length).fill(length - data.length);
  out.set(data);
  const view = viewOf(out);
  const words = new Uint32Array(4);
  load(words, viewOf(iv), 0);
  for (let at = 0; at < length; at += BLOCK) {
    for (let i = 0; i < 4; i++)
      words[i] ^= view.getUint32(at + 4 * i);
    encryptBlock(keys, words);
    store(words, view, at);
  }
  return out;
}

function decryptCbc(keys, iv, data) {
  if (data.length === 0 || data.length % BLOCK !== 0)
    throw new RangeError('not whole blocks');
  const out = new Uint8Array(data.length);
  const [from, to] = [viewOf(data), viewOf(out)];
  const words = new Uint32Array(4);
  const before = new Uint32Array(4);
  load(before, viewOf(iv), 0);
  for (let at = 0; at < data.length; at += BLOCK) {
    load(words, from, at);
    decryptBlock(keys, words);
    for (let i = 0; i < 4; i++)
      words[i] ^= before[i];
    store(words, to, at);
    load(before, from, at);
  }
  const pad = out[out.length - 1];
  if (pad < 1 || pad > BLOCK || !out.subarray(-pad).every((b) => b === pad))
    throw new RangeError('bad padding');
  return out.slice(0, -pad);
}

export function cbc(key, iv) {
  if (iv?.length !== BLOCK)
    throw new RangeError('the iv has 16 bytes');
  const keys = expand(key);
  return { encrypt: (data) => encryptCbc(keys, iv, data),
    decrypt: (data) => decryptCbc(keys, iv, data) };
}

/** GHASH over two inputs, each padded, and their lengths in bits. */
function hash(key, first, second) {
  const lengths = new Uint8Array(BLOCK);
  viewOf(lengths).setBigUint64(0, BigInt(first.length) * 8n);
  viewOf(lengths).setBigUint64(8, BigInt(second.length) * 8n);
  return ghash.create(key, first.length + second.length).update(first)
    .update(second).update(lengths).digest();
}

export function gcm(key, iv, more = new Uint8Array(0)) {
  if (!(iv?.length > 0))
    throw new RangeError('the iv is empty');
  const keys = expand(key);
  const hashKey = crypt(keys, new Uint8Array(BLOCK), 32,
      new Uint8Array(BLOCK));
  const start = iv.length === 12 ? Uint8Array.of(...iv, 0, 0, 0, 1) :
    hash(hashKey, new Uint8Array(0), iv);
  const next = start.slice();
  increment(next, 32);
  const tagOf = (text) => crypt(keys, start, 32, hash(hashKey, more, text));
  return {
    encrypt(data) {
      const out = new Uint8Array(data.length + TAG);
      out.set(crypt(keys, next, 32, data));
      out.set(tagOf(out.subarray(0, data.length)), data.length);
      return out;
    },
    decrypt(data) {
      if (data.length < TAG)
        throw new RangeError('too short');
      const text = data.subarray(0, data.length - TAG);
      const tag = tagOf(text);
      let different = 0;
      for (let i = 0; i < TAG; i++)
        different |= tag[i] ^ data[text.length + i];
      if (different !== 0)
        throw new RangeError('the tag does not fit');
      return crypt(keys, next, 32, text);
    },
  };
}
