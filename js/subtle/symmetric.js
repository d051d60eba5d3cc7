// SPDX-License-Identifier: Apache-2.0
// HMAC, HKDF and PBKDF2.

import { hkdf } from '@noble/hashes/hkdf.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { native } from '../native.js';
import { fault, materialOf, newKey, usagesOf } from './key.js';

const HASHES = { 'SHA-1': sha1, 'SHA-256': sha256, 'SHA-384': sha384,
  'SHA-512': sha512 };

const hashOf = (params) => HASHES[params.hash?.name] ?? refuseHash();

function refuseHash() {
  throw new TypeError('the algorithm needs a "hash"');
}

/** Equal in time that tells nothing but the lengths. */
export function equalBytes(a, b) {
  let different = a.length ^ b.length;
  for (let i = 0; i < a.length; i++)
    different |= a[i] ^ b[i];
  return different === 0;
}

export function randomBytes(length) {
  const bytes = new Uint8Array(length);
  native.random(bytes);
  return bytes;
}

const URL_SAFE = { alphabet: 'base64url', omitPadding: true };

export const toBase64url = (bytes) => bytes.toBase64(URL_SAFE);

export function fromBase64url(text, what) {
  try {
    return Uint8Array.fromBase64(text, { alphabet: 'base64url' });
  } catch {
    throw fault('DataError', `the JWK member "${what}" is not base64url`);
  }
}

/** The bytes of a secret key given raw or as a JWK. */
export function secretFrom(format, data) {
  if (format === 'raw')
    return data;
  if (format !== 'jwk')
    throw fault('NotSupportedError', `a secret key is no "${format}"`);
  if (data?.kty !== 'oct')
    throw fault('DataError', 'a secret JWK has kty "oct"');
  return fromBase64url(data.k, 'k');
}

export function exportSecret(alg) {
  return (format, key, bytes) => {
    if (format === 'raw')
      return bytes;
    if (format !== 'jwk')
      throw fault('NotSupportedError', `a secret key is no "${format}"`);
    return { kty: 'oct', k: toBase64url(bytes), alg: alg(key),
      key_ops: [...key.usages], ext: key.extractable };
  };
}

const USES = ['sign', 'verify'];
const BLOCK_BITS = { 'SHA-1': 512, 'SHA-256': 512, 'SHA-384': 1024,
  'SHA-512': 1024 };

function hmacKey(params, bytes, extractable, usages) {
  hashOf(params);
  if (bytes.length === 0)
    throw fault('DataError', 'an HMAC key is not empty');
  return newKey('secret', extractable, { name: 'HMAC', hash: params.hash,
    length: bytes.length * 8 }, usagesOf(usages, USES, 'HMAC'), bytes);
}

const mac = (key, data) =>
  native.hmac(key.algorithm.hash.name, materialOf(key), data);

const hmacLength = (params) => {
  hashOf(params);
  return params.length ?? BLOCK_BITS[params.hash.name];
};

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

function importDeriving(format, data, params, extractable, usages) {
  if (format !== 'raw')
    throw fault('NotSupportedError', `${params.name} takes a raw key`);
  if (extractable)
    throw fault('SyntaxError', `a ${params.name} key is not extractable`);
  return newKey('secret', false, { name: params.name },
      usagesOf(usages, ['deriveBits', 'deriveKey'], params.name), data);
}

export const KDF = {
  HKDF: {
    importKey: importDeriving,
    deriveBits: (params, key, length) => hkdf(hashOf(params), materialOf(key),
        params.salt, params.info, length >> 3),
  },
  PBKDF2: {
    importKey: importDeriving,
    deriveBits: (params, key, length) => pbkdf2(hashOf(params),
        materialOf(key), params.salt,
        { c: params.iterations, dkLen: length >> 3 }),
  },
};
