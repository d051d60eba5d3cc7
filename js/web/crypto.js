// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { bytesOf } from './bytes.js';
import { DOMException } from './domexception.js';

const QUOTA = 65536;

let subtle = null;

export class Crypto {
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || array instanceof DataView ||
        array instanceof Float32Array || array instanceof Float64Array) {
      throw new DOMException('getRandomValues: not an array of integers',
          'TypeMismatchError');
    }
    if (array.byteLength > QUOTA) {
      throw new DOMException(`getRandomValues: ${array.byteLength} bytes are ` +
          `more than ${QUOTA}`, 'QuotaExceededError');
    }
    native.random(bytesOf(array));
    return array;
  }

  randomUUID() {
    const bytes = new Uint8Array(16);
    native.random(bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = bytes.toHex();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${
      hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  get subtle() {
    return subtle ??= require('../subtle/subtle.js').subtle;
  }
}
