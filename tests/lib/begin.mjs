// SPDX-License-Identifier: Apache-2.0

// Beginning a sign-in as `cordon upstream login` does: with a key, sealed to the
// store, which proves with it what it offers.

import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { build } from './paths.mjs';

const tool = (input, ...words) => execFileSync(join(build, 'tests/unit/store/seal-letter'),
  words.map(String), { input, stdio: 'pipe' }).toString().trim();

const bindingOf = ({ server, redirect_uri: uri, scope = '', issuer = '', client_id: client = '',
  principal = 0 }, tenant) => [tenant, server, uri, scope, issuer, client, principal];

// The letter of a key, for what POST /admin/logins is asked with.
export function sealKey(publicKey, body, { tenant = 'local', key = randomBytes(32),
  issued = Date.now() } = {}) {
  return tool(key, '--begin', publicKey, ...bindingOf(body, tenant), issued);
}

// For hosts that are none: what is sealed to, and the key that came in a body.
export const publicOf = (keys) => tool('', '--public', keys);
export const openKey = (keys, body, tenant = 'local') =>
  Buffer.from(tool('', '--open', keys, body.key, ...bindingOf(body, tenant)), 'base64');

// crypto_auth() of libsodium: HMAC-SHA-512, cut to 32 bytes.
export function prove(key, offer) {
  const hash = createHmac('sha512', key);
  for (const name of ['url', 'issuer', 'resource', 'scope', 'registration']) {
    const text = Buffer.from(offer[name]);
    const length = Buffer.alloc(2);
    length.writeUInt16LE(text.length);
    hash.update(length).update(text);
  }
  return hash.digest().subarray(0, 32).toString('base64');
}
