// SPDX-License-Identifier: Apache-2.0
// Ed25519 (RFC 8032) and X25519 (RFC 7748).

import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { fault, materialOf } from './key.js';
import { keyOf, pairOf, shared } from './pairs.js';
import { fromBase64url, randomBytes, toBase64url } from './secret.js';

const EDWARDS = { Ed25519: ed25519, X25519: x25519 };

ed25519.Point.BASE.precompute(1); // no tables: a cell seldom signs twice

function importEdwards(format, data, params, extractable, usages) {
  if (format === 'raw')
    return keyOf('public', params, extractable, usages, { open: data });
  if (format !== 'jwk')
    throw fault('NotSupportedError', `${params.name} is taken as raw or jwk`);
  if (data?.kty !== 'OKP' || data.crv !== params.name)
    throw fault('DataError', `the JWK is no OKP key of ${params.name}`);
  const open = fromBase64url(data.x, 'x');
  if (data.d === undefined)
    return keyOf('public', params, extractable, usages, { open });
  const secret = fromBase64url(data.d, 'd');
  if (secret.length !== 32)
    throw fault('DataError', `a key of ${params.name} has 32 bytes`);
  return keyOf('private', params, extractable, usages, { open, secret });
}

function exportEdwards(format, key, { open, secret }) {
  if (format === 'raw' && key.type === 'public')
    return open;
  if (format !== 'jwk')
    throw fault('NotSupportedError', 'this key goes out as raw (public) or jwk');
  return { kty: 'OKP', crv: key.algorithm.name, x: toBase64url(open),
    ...secret === undefined ? {} : { d: toBase64url(secret) },
    key_ops: [...key.usages], ext: key.extractable };
}

const edwards = {
  generateKey: (params, extractable, usages) => {
    const secret = randomBytes(32);
    return pairOf(params, extractable, usages, secret,
        EDWARDS[params.name].getPublicKey(secret));
  },
  importKey: importEdwards,
  exportKey: exportEdwards,
};

export const Ed25519 = {
  ...edwards,
  sign: (params, key, data) => ed25519.sign(data, materialOf(key).secret),
  verify: (params, key, data, signature) => signature.length === 64 &&
      ed25519.verify(signature, data, materialOf(key).open,
          { zip215: false }),
};

export const X25519 = {
  ...edwards,
  deriveBits: (params, key, length) => shared(params, key, length,
      (secret, open) => x25519.getSharedSecret(secret, open)),
};
