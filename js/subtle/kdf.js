// SPDX-License-Identifier: Apache-2.0
// Keys from keys (HKDF, RFC 5869) and from passwords (PBKDF2, RFC 8018).

import { hkdf } from '@noble/hashes/hkdf.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { fault, materialOf, newKey, usagesOf } from './key.js';

const HASHES = { 'SHA-1': sha1, 'SHA-256': sha256, 'SHA-384': sha384,
  'SHA-512': sha512 };

function hashOf(params) {
  const hash = HASHES[params.hash?.name];
  if (hash === undefined)
    throw new TypeError(`${params.name} needs a "hash"`);
  return hash;
}

function importDeriving(format, data, params, extractable, usages) {
  if (format !== 'raw')
    throw fault('NotSupportedError', `${params.name} takes a raw key`);
  if (extractable)
    throw fault('SyntaxError', `a ${params.name} key is not extractable`);
  return newKey('secret', false, { name: params.name },
      usagesOf(usages, ['deriveBits', 'deriveKey'], params.name), data);
}

export const HKDF = {
  importKey: importDeriving,
  deriveBits: (params, key, length) => hkdf(hashOf(params), materialOf(key),
      params.salt, params.info, length >> 3),
};

export const PBKDF2 = {
  importKey: importDeriving,
  deriveBits: (params, key, length) => pbkdf2(hashOf(params),
      materialOf(key), params.salt,
      { c: params.iterations, dkLen: length >> 3 }),
};
