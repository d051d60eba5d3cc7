// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { fault, materialOf, newKey, usagesOf } from './key.js';
import { exportSecret, randomBytes, secretFrom } from './secret.js';

const USES = ['sign', 'verify'];
const BLOCK_BITS = { 'SHA-1': 512, 'SHA-256': 512, 'SHA-384': 1024,
  'SHA-512': 1024 };

function blockBits(params) {
  const bits = BLOCK_BITS[params.hash?.name];
  if (bits === undefined)
    throw new TypeError('HMAC needs a "hash"');
  return bits;
}

/** Equal in time that tells nothing but the lengths. */
function equalBytes(a, b) {
  let different = a.length ^ b.length;
  for (let i = 0; i < a.length; i++)
    different |= a[i] ^ b[i];
  return different === 0;
}

function hmacKey(params, bytes, extractable, usages) {
  blockBits(params);
  if (bytes.length === 0)
    throw fault('DataError', 'an HMAC key is not empty');
  return newKey('secret', extractable, { name: 'HMAC', hash: params.hash,
    length: bytes.length * 8 }, usagesOf(usages, USES, 'HMAC'), bytes);
}

const mac = (key, data) =>
  native.hmac(key.algorithm.hash.name, materialOf(key), data);

const hmacLength = (params) => params.length ?? blockBits(params);

export const HMAC = {
  generateKey: (params, extractable, usages) => hmacKey(params,
      randomBytes(hmacLength(params) >> 3), extractable, usages),
  importKey: (format, data, params, extractable, usages) =>
    hmacKey(params, secretFrom(format, data), extractable, usages),
  exportKey: exportSecret((key) => `HS${key.algorithm.hash.name.slice(4)}`),
  keyLength: hmacLength,
  sign: (params, key, data) => mac(key, data),
  verify: (params, key, data, signature) =>
    equalBytes(mac(key, data), signature),
};
