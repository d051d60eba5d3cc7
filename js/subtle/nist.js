// SPDX-License-Identifier: Apache-2.0
// ECDSA and ECDH on the curves of NIST (FIPS 186-5, SP 800-186). A curve is made
// at first use, without tables of multiples: a cell seldom needs it twice.

import { ecdsa, weierstrass } from '@noble/curves/abstract/weierstrass.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { native } from '../native.js';
import { fault, materialOf } from './key.js';
import { checked, keyOf, pairOf, shared } from './pairs.js';
import { fromBase64url, randomBytes, toBase64url } from './secret.js';

const hex = (digits) => BigInt(`0x${digits}`);

/** Size in bytes, hash, and p, n, b, Gx, Gy in hexadecimal (a is -3). */
const PARAMETERS = {
  'P-256': [32, sha256,
    'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
    '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'],
  'P-384': [48, sha384,
    'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe' +
    'ffffffff0000000000000000ffffffff',
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf' +
    '581a0db248b0a77aecec196accc52973',
    'b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a' +
    'c656398d8a2ed19d2a85c8edd3ec2aef',
    'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38' +
    '5502f25dbf55296c3a545e3872760ab7',
    '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0' +
    '0a60b1ce1d7e819d7a431d7c90ea0e5f'],
  'P-521': [66, sha512, `1ff${'f'.repeat(128)}`,
    `1${'f'.repeat(64)}` +
    'fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    '051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109' +
    'e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
    '0c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3d' +
    'baa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66',
    '11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e66' +
    '2c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650'],
};

const made = new Map();

function makeCurve(name) {
  const [size, hash, ...numbers] = PARAMETERS[name];
  const [p, n, b, Gx, Gy] = numbers.map(hex);
  const Point = weierstrass({ p, n, h: 1n, a: p - 3n, b, Gx, Gy });
  const curve = [ecdsa(Point, hash), size];
  Point.BASE.precompute(1);
  made.set(name, curve);
  return curve;
}

function curveOf(name) {
  if (!Object.hasOwn(PARAMETERS, `${name}`)) {
    throw fault('NotSupportedError', `the curve "${name}" is not one of ${
      Object.keys(PARAMETERS).join(', ')}`);
  }
  return made.get(name) ?? makeCurve(name);
}

/** Enough randomness for a scalar without bias, as the curve asks. */
const drawSecret = (curve) =>
  curve.utils.randomSecretKey(randomBytes(curve.lengths.seed));

function generateNist(params, extractable, usages) {
  const [curve] = curveOf(params.namedCurve);
  const secret = drawSecret(curve);
  return pairOf(params, extractable, usages, secret,
      curve.getPublicKey(secret, false));
}

function nistJwk(params, data, curve, size) {
  if (data?.kty !== 'EC' || data.crv !== params.namedCurve)
    throw fault('DataError', `the JWK is no EC key on ${params.namedCurve}`);
  const open = new Uint8Array(1 + 2 * size);
  open[0] = 4;
  open.set(fromBase64url(data.x, 'x'), 1);
  open.set(fromBase64url(data.y, 'y'), 1 + size);
  const secret = data.d === undefined ? undefined :
    fromBase64url(data.d, 'd');
  return { open, secret };
}

function importNist(format, data, params, extractable, usages) {
  const [curve, size] = curveOf(params.namedCurve);
  const given = format === 'raw' ? { open: data } : format === 'jwk' ?
    nistJwk(params, data, curve, size) : undefined;
  if (given === undefined)
    throw fault('NotSupportedError', `an EC key is taken as raw or jwk`);
  const material = checked(`point of ${params.namedCurve}`, () => ({
    open: curve.Point.fromBytes(given.open).toBytes(false),
    secret: given.secret,
  }));
  if (given.secret !== undefined &&
      !curve.utils.isValidSecretKey(given.secret))
    throw fault('DataError', `this is not a key of ${params.namedCurve}`);
  return keyOf(given.secret === undefined ? 'public' : 'private', params,
      extractable, usages, material);
}

function exportNist(format, key, { open, secret }) {
  if (format === 'raw' && key.type === 'public')
    return open;
  if (format !== 'jwk')
    throw fault('NotSupportedError', 'an EC key goes out as raw (public) or jwk');
  const size = (open.length - 1) / 2;
  return { kty: 'EC', crv: key.algorithm.namedCurve,
    x: toBase64url(open.subarray(1, 1 + size)),
    y: toBase64url(open.subarray(1 + size)),
    ...secret === undefined ? {} : { d: toBase64url(secret) },
    key_ops: [...key.usages], ext: key.extractable };
}

function hashed(params, data) {
  if (params.hash === undefined)
    throw new TypeError('ECDSA needs a "hash"');
  return native.digest(params.hash.name, data);
}

const SIGNING = { prehash: false, lowS: false };

const nist = { generateKey: generateNist, importKey: importNist,
  exportKey: exportNist };

export const ECDSA = {
  ...nist,
  sign: (params, key, data) => curveOf(key.algorithm.namedCurve)[0]
    .sign(hashed(params, data), materialOf(key).secret, SIGNING),
  verify: (params, key, data, signature) => {
    const [curve, size] = curveOf(key.algorithm.namedCurve);
    return signature.length === 2 * size && curve.verify(signature,
        hashed(params, data), materialOf(key).open, SIGNING);
  },
};

export const ECDH = {
  ...nist,
  deriveBits: (params, key, length) => shared(params, key, length,
      (secret, open) => curveOf(key.algorithm.namedCurve)[0]
        .getSharedSecret(secret, open).slice(1)),
};
