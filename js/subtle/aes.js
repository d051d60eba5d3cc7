// SPDX-License-Identifier: Apache-2.0

import { cbc, ctr, gcm } from './cipher.js';
import { DOMException } from '../web/domexception.js';
import { fault, materialOf, newKey, usagesOf } from './key.js';
import { exportSecret, randomBytes, secretFrom } from './secret.js';

const USES = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
const TAG_BYTES = 16;

function aesKey(params, bytes, extractable, usages) {
  if (![16, 24, 32].includes(bytes.length))
    throw fault('DataError', 'an AES key has 128, 192 or 256 bits');
  return newKey('secret', extractable, { name: params.name,
    length: bytes.length * 8 }, usagesOf(usages, USES, params.name), bytes);
}

function lengthOf(params) {
  if (![128, 192, 256].includes(params.length))
    throw fault('OperationError', 'an AES key has 128, 192 or 256 bits');
  return params.length;
}

/** Runs one of the cipher's steps; a failure says nothing but that it failed. */
function attempt(name, run) {
  try {
    return run();
  } catch (error) {
    if (error instanceof DOMException)
      throw error;
    throw fault('OperationError', `${name}: the data could not be processed`);
  }
}

function gcmOf(params, key) {
  if ((params.tagLength ?? 128) !== TAG_BYTES * 8)
    throw fault('NotSupportedError', 'AES-GCM: only tags of 128 bits');
  return gcm(materialOf(key), params.iv, params.additionalData);
}

function counterOf(params, key) {
  if (params.counter?.length !== 16)
    throw fault('OperationError', 'AES-CTR: the counter has 16 bytes');
  if (!(params.length >= 1 && params.length <= 128))
    throw fault('OperationError', 'AES-CTR: the length is 1 to 128 bits');
  return ctr(materialOf(key), params.counter, params.length);
}

const MODES = {
  'AES-GCM': gcmOf,
  'AES-CBC': (params, key) => cbc(materialOf(key), params.iv),
  'AES-CTR': counterOf,
};

const algorithm = (name, mode) => ({
  generateKey: (params, extractable, usages) => aesKey(params,
      randomBytes(lengthOf(params) >> 3), extractable, usages),
  importKey: (format, data, params, extractable, usages) =>
    aesKey(params, secretFrom(format, data), extractable, usages),
  exportKey: exportSecret((key) => `A${key.algorithm.length}${name.slice(4)}`),
  keyLength: lengthOf,
  encrypt: (params, key, data) => {
    return attempt(name, () => mode(params, key).encrypt(data));
  },
  decrypt: (params, key, data) => {
    return attempt(name, () => mode(params, key).decrypt(data));
  },
});

export const AES = Object.fromEntries(Object.entries(MODES)
  .map(([name, mode]) => [name, algorithm(name, mode)]));
