// SPDX-License-Identifier: Apache-2.0
// TextEncoder and TextDecoder: UTF-8 by the glue, UTF-16 and windows-1252 here.

import { native } from '../native.js';
import { bytesOf } from './bytes.js';

const LABELS = {
  'utf-8': 'unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 ' +
    'x-unicode20utf8',
  'utf-16be': 'unicodefffe utf-16be',
  'utf-16le': 'csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 ' +
    'utf-16le',
  'windows-1252': 'ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 ' +
    'iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 ' +
    'latin1 us-ascii windows-1252 x-cp1252',
};

const ENCODINGS = new Map(Object.entries(LABELS).flatMap(([name, labels]) =>
  labels.split(' ').map((label) => [label, name])));

/** Bytes 0x80 to 0x9f of windows-1252. */
const WINDOWS_1252 = '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6' +
  '\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022' +
  '\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

const EMPTY = new Uint8Array(0);
const BOM = 0xfeff;
const SLICE = 8192;

/** Text of code units, in slices that fit an argument list. */
function fromUnits(units) {
  let text = '';
  for (let at = 0; at < units.length; at += SLICE)
    text += String.fromCharCode(...units.subarray(at, at + SLICE));
  return text;
}

function decode1252(bytes) {
  const units = new Uint16Array(bytes);
  for (let i = 0; i < units.length; i++) {
    if (units[i] >= 0x80 && units[i] < 0xa0)
      units[i] = WINDOWS_1252.charCodeAt(units[i] - 0x80);
  }
  return fromUnits(units);
}

/** How many bytes at the end belong to a UTF-8 sequence not yet complete. */
function utf8Tail(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80)
      continue;
    const need = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 :
      byte >= 0xc2 ? 2 : 1;
    return need > back && startsWell(bytes, bytes.length - back) ? back : 0;
  }
  return 0;
}

/** Whether the second byte, if it is there, may follow the first. */
function startsWell(bytes, at) {
  if (at + 1 >= bytes.length)
    return true;
  const [low, high] = { 0xe0: [0xa0, 0xbf], 0xed: [0x80, 0x9f],
    0xf0: [0x90, 0xbf], 0xf4: [0x80, 0x8f] }[bytes[at]] ?? [0x80, 0xbf];
  return bytes[at + 1] >= low && bytes[at + 1] <= high;
}

function utf16Units(bytes, bigEndian) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < units.length; i++)
    units[i] = view.getUint16(i * 2, !bigEndian);
  return units;
}

function utf16Tail(bytes, bigEndian) {
  const odd = bytes.length & 1;
  if (bytes.length - odd < 2)
    return odd;
  const high = bytes[bytes.length - odd - (bigEndian ? 2 : 1)];
  return (high & 0xfc) === 0xd8 ? odd + 2 : odd;
}

function decode16(bytes, bigEndian, fatal) {
  const text = fromUnits(utf16Units(bytes, bigEndian));
  const whole = (bytes.length & 1) === 0;
  if (fatal && (!whole || !text.isWellFormed()))
    throw new TypeError('The encoded data was not valid UTF-16');
  return text.toWellFormed() + (whole ? '' : '\ufffd');
}

const CODECS = {
  'utf-8': {
    tail: utf8Tail,
    decode: (bytes, fatal) => native.utf8Decode(bytes, fatal),
  },
  'utf-16le': {
    tail: (bytes) => utf16Tail(bytes, false),
    decode: (bytes, fatal) => decode16(bytes, false, fatal),
  },
  'utf-16be': {
    tail: (bytes) => utf16Tail(bytes, true),
    decode: (bytes, fatal) => decode16(bytes, true, fatal),
  },
  'windows-1252': { tail: () => 0, decode: decode1252 },
};

function joined(first, second) {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #rest = EMPTY;
  #bomSeen = false;
  #streaming = false;

  constructor(label = 'utf-8', options = undefined) {
    const name = `${label}`.trim().toLowerCase();
    this.#encoding = ENCODINGS.get(name);
    if (this.#encoding === undefined) {
      throw new RangeError(`TextDecoder: the encoding "${name}" is not ` +
          'supported (utf-8, utf-16le, utf-16be, windows-1252 are)');
    }
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }

  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input = EMPTY, options = undefined) {
    let bytes = bytesOf(input);
    if (bytes === undefined)
      throw new TypeError('TextDecoder.decode: neither a buffer nor a view');
    if (!this.#streaming) {
      this.#rest = EMPTY;
      this.#bomSeen = false;
    }
    this.#streaming = Boolean(options?.stream);
    if (this.#rest.length !== 0)
      bytes = joined(this.#rest, bytes);
    return this.#take(bytes);
  }

  #take(bytes) {
    const codec = CODECS[this.#encoding];
    const tail = this.#streaming ? codec.tail(bytes) : 0;
    this.#rest = tail === 0 ? EMPTY : bytes.slice(bytes.length - tail);
    const text = codec.decode(tail === 0 ? bytes :
      bytes.subarray(0, bytes.length - tail), this.#fatal);
    if (this.#bomSeen || text === '')
      return text;
    this.#bomSeen = true;
    const skip = !this.#ignoreBOM && text.charCodeAt(0) === BOM &&
        this.#encoding !== 'windows-1252';
    return skip ? text.slice(1) : text;
  }
}

export class TextEncoder {
  get encoding() { return 'utf-8'; }

  encode(input = '') {
    return native.utf8Encode(`${input}`);
  }

  encodeInto(source, destination) {
    if (!native.isUint8Array(destination))
      throw new TypeError('TextEncoder.encodeInto: not a Uint8Array');
    const [read, written] = native.utf8EncodeInto(`${source}`, destination);
    return { read, written };
  }
}
