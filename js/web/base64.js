// SPDX-License-Identifier: Apache-2.0

import { DOMException } from './domexception.js';

const { fromBase64 } = Uint8Array;
const SLICE = 8192;

/** A string of one character a byte. */
export function binaryString(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += SLICE)
    text += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  return text;
}

export function btoa(data) {
  const text = `${data}`;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff) {
      throw new DOMException(`btoa: character ${i} is outside Latin-1`,
          'InvalidCharacterError');
    }
    bytes[i] = unit;
  }
  return bytes.toBase64();
}

export function atob(data) {
  try {
    return binaryString(Reflect.apply(fromBase64, Uint8Array, [`${data}`]));
  } catch (error) {
    if (!(error instanceof SyntaxError))
      throw error;
    throw new DOMException('atob: the text is not base64',
        'InvalidCharacterError');
  }
}
