// SPDX-License-Identifier: Apache-2.0
// Which module does an algorithm. Each is loaded at its first use: the curves
// alone would take a cell as long as a whole call may.

export const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

const hmac = () => require('./hmac.js');
const kdf = () => require('./kdf.js');
const aes = () => require('./aes.js').AES;
const nist = () => require('./nist.js');
const edwards = () => require('./edwards.js');

const LOADERS = {
  __proto__: null,
  'HMAC': hmac, 'HKDF': kdf, 'PBKDF2': kdf,
  'AES-GCM': aes, 'AES-CBC': aes, 'AES-CTR': aes,
  'ECDSA': nist, 'ECDH': nist, 'Ed25519': edwards, 'X25519': edwards,
};

export const NAMES = [...Object.keys(LOADERS), ...HASHES];

/** What an algorithm does, by operation; undefined for a digest. */
export function algorithmOf(name) {
  return LOADERS[name]?.()[name];
}
