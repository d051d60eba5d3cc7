// SPDX-License-Identifier: Apache-2.0
// ECDSA, ECDH, Ed25519 and X25519. Secret keys are drawn from the glue.

import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { native } from '../native.js';
import { fault, materialOf, newKey, usagesOf } from './key.js';
import { fromBase64url, randomBytes, toBase64url } from './symmetric.js';

const NIST = { 'P-256': [p256, 32], 'P-384': [p384, 48], 'P-521': [p521, 66] };
const EDWARDS = { Ed25519: ed25519, X25519: x25519 };

const PUBLIC_USES = { 'ECDSA': ['verify'], 'ECDH': [], 'Ed25519': ['verify'],
  'X25519': [] };
const PRIVATE_USES = { 'ECDSA': ['sign'], 'ECDH': ['deriveBits', 'deriveKey'],
  'Ed25519': ['sign'], 'X25519': ['deriveBits', 'deriveKey'] };

function curveOf(name) {
  if (!Object.hasOwn(NIST, `${name}`)) {
    throw fault('NotSupportedError', `the curve "${name}" is not one of ${
      Object.keys(NIST).join(', ')}`);
  }
  return NIST[name];
}

/** The public identity of a key: `{name}` or `{name, namedCurve}`. */
const algorithmOf = ({ name, namedCurve }) =>
  name in EDWARDS ? { name } : { name, namedCurve };

function keyOf(type, params, extractable, usages, material) {
  const allowed = type === 'public' ? PUBLIC_USES : PRIVATE_USES;
  return newKey(type, extractable, algorithmOf(params),
      usagesOf(usages, allowed[params.name], params.name), material);
}

function pairOf(params, extractable, usages, secret, open) {
  const all = [...PUBLIC_USES[params.name], ...PRIVATE_USES[params.name]];
  usagesOf(usages, all, params.name);
  const among = (allowed) => usages.filter((usage) => allowed.includes(usage));
  return {
    publicKey: keyOf('public', params, true,
        among(PUBLIC_USES[params.name]), { open }),
    privateKey: keyOf('private', params, extractable,
        among(PRIVATE_USES[params.name]), { secret, open }),
  };
}

/** Enough randomness for a scalar without bias, as the curve asks. */
const drawSecret = (curve) =>
  curve.utils.randomSecretKey(randomBytes(curve.lengths.seed));

function checked(what, run) {
  try {
    return run();
  } catch {
    throw fault('DataError', `this is not a ${what}`);
  }
}

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
  if (given.secret !== undefined) {
    checked(`key of ${params.namedCurve}`, () =>
      curve.getPublicKey(given.secret));
  }
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

const ECDSA = {
  ...nist,
  sign: (params, key, data) => curveOf(key.algorithm.namedCurve)[0]
    .sign(hashed(params, data), materialOf(key).secret, SIGNING),
  verify: (params, key, data, signature) => {
    const [curve, size] = curveOf(key.algorithm.namedCurve);
    return signature.length === 2 * size && curve.verify(signature,
        hashed(params, data), materialOf(key).open, SIGNING);
  },
};

/** The bits both sides know: a prefix of what the curve gives. */
function shared(params, key, length, agree) {
  const other = params.public;
  if (other?.type !== 'public' ||
      other.algorithm.name !== key.algorithm.name ||
      other.algorithm.namedCurve !== key.algorithm.namedCurve) {
    throw fault('InvalidAccessError',
        `${params.name} needs the other side's "public" key of the same curve`);
  }
  const bytes = checked('usable key', () =>
    agree(materialOf(key).secret, materialOf(other).open));
  if (length > bytes.length * 8)
    throw fault('OperationError', `${params.name} gives ${bytes.length} bytes`);
  return bytes.slice(0, length >> 3);
}

const ECDH = {
  ...nist,
  deriveBits: (params, key, length) => shared(params, key, length,
      (secret, open) => curveOf(key.algorithm.namedCurve)[0]
        .getSharedSecret(secret, open).slice(1)),
};

function importEdwards(format, data, params, extractable, usages) {
  const curve = EDWARDS[params.name];
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
  checked(`key of ${params.name}`, () => curve.getPublicKey(secret));
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

const Ed25519 = {
  ...edwards,
  sign: (params, key, data) => ed25519.sign(data, materialOf(key).secret),
  verify: (params, key, data, signature) => signature.length === 64 &&
      ed25519.verify(signature, data, materialOf(key).open,
          { zip215: false }),
};

const X25519 = {
  ...edwards,
  deriveBits: (params, key, length) => shared(params, key, length,
      (secret, open) => x25519.getSharedSecret(secret, open)),
};

export const CURVES = { ECDSA, ECDH, Ed25519, X25519 };
