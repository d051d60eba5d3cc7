// SPDX-License-Identifier: Apache-2.0
// What every kind of key needs: randomness, base64url, secret keys in and out.

import { native } from '../native.js';
import { fault } from './key.js';

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
