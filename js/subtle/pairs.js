// SPDX-License-Identifier: Apache-2.0
// What pairs of keys have in common, on any curve.

import { fault, materialOf, newKey, usagesOf } from './key.js';

const PUBLIC_USES = { 'ECDSA': ['verify'], 'ECDH': [], 'Ed25519': ['verify'],
  'X25519': [] };
const PRIVATE_USES = { 'ECDSA': ['sign'], 'ECDH': ['deriveBits', 'deriveKey'],
  'Ed25519': ['sign'], 'X25519': ['deriveBits', 'deriveKey'] };

/** The public identity of a key: `{name}` or `{name, namedCurve}`. */
const identityOf = ({ name, namedCurve }) =>
  namedCurve === undefined ? { name } : { name, namedCurve };

export function keyOf(type, params, extractable, usages, material) {
  const allowed = type === 'public' ? PUBLIC_USES : PRIVATE_USES;
  return newKey(type, extractable, identityOf(params),
      usagesOf(usages, allowed[params.name], params.name), material);
}

export function pairOf(params, extractable, usages, secret, open) {
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

export function checked(what, run) {
  try {
    return run();
  } catch {
    throw fault('DataError', `this is not a ${what}`);
  }
}

/** The bits both sides know: a prefix of what the curve gives. */
export function shared(params, key, length, agree) {
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
