// SPDX-License-Identifier: Apache-2.0
// WebCrypto's SubtleCrypto: arguments, usages and promises are here, the
// algorithms in a table. Pure JavaScript but for digests and HMAC.

import { native } from '../native.js';
import { bytesOf } from '../web/bytes.js';
import { defineInterfaces } from '../define.js';
import { HASHES, NAMES, algorithmOf } from './algorithms.js';
import { CryptoKey, fault, materialOf } from './key.js';

export { CryptoKey };

const CANONICAL = new Map(NAMES.map((name) => [name.toLowerCase(), name]));

function nameOf(algorithm) {
  const given = typeof algorithm === 'string' ? algorithm : algorithm?.name;
  const name = CANONICAL.get(`${given}`.toLowerCase());
  if (name === undefined) {
    throw fault('NotSupportedError', `the algorithm "${given}" is not ` +
        `supported (${NAMES.join(', ')} are)`);
  }
  return name;
}

/** Algorithm parameters with canonical names, bytes as Uint8Arrays. */
function normalize(algorithm) {
  const given = typeof algorithm === 'string' ? {} : { ...algorithm };
  given.name = nameOf(algorithm);
  if (given.hash !== undefined)
    given.hash = { name: nameOf(given.hash) };
  for (const key of ['iv', 'counter', 'additionalData', 'salt', 'info']) {
    if (given[key] !== undefined)
      given[key] = dataOf(given[key], key).slice();
  }
  return given;
}

function dataOf(data, what = 'the data') {
  const bytes = bytesOf(data);
  if (bytes === undefined)
    throw new TypeError(`crypto.subtle: ${what} is no buffer`);
  return bytes;
}

function operation(name, operationName) {
  const found = algorithmOf(name)?.[operationName];
  if (found === undefined) {
    throw fault('NotSupportedError',
        `${name} does not do ${operationName}`);
  }
  return found;
}

/** Checks that a key may do this, under this algorithm. */
function useKey(key, algorithm, usage) {
  if (!(key instanceof CryptoKey))
    throw new TypeError(`crypto.subtle.${usage}: not a CryptoKey`);
  if (key.algorithm.name !== algorithm.name || !key.usages.includes(usage)) {
    throw fault('InvalidAccessError', `the key (${key.algorithm.name}: ${
      key.usages.join(', ')}) is not for ${algorithm.name} ${usage}`);
  }
  return key;
}

const bufferOf = (bytes) => bytes.byteLength === bytes.buffer.byteLength ?
  bytes.buffer : bytes.slice().buffer;

function transform(usage, algorithm, key, data, ...more) {
  const params = normalize(algorithm);
  return operation(params.name, usage)(params, useKey(key, params, usage),
      dataOf(data), ...more);
}

function derive(params, key, length) {
  if (length === null || length % 8 !== 0)
    throw fault('OperationError', 'deriveBits: the length is no multiple of 8');
  return operation(params.name, 'deriveBits')(params, key, length);
}

const KEY_OPERATIONS = { wrapKey: 'encrypt', unwrapKey: 'decrypt' };

export class SubtleCrypto {
  async digest(algorithm, data) {
    const name = nameOf(algorithm);
    if (!HASHES.includes(name))
      throw fault('NotSupportedError', `${name} is not a digest`);
    return bufferOf(native.digest(name, dataOf(data)));
  }

  async sign(algorithm, key, data) {
    return bufferOf(transform('sign', algorithm, key, data));
  }

  async verify(algorithm, key, signature, data) {
    return transform('verify', algorithm, key, data,
        dataOf(signature, 'the signature'));
  }

  async encrypt(algorithm, key, data) {
    return bufferOf(transform('encrypt', algorithm, key, data));
  }

  async decrypt(algorithm, key, data) {
    return bufferOf(transform('decrypt', algorithm, key, data));
  }

  async generateKey(algorithm, extractable, usages) {
    const params = normalize(algorithm);
    return operation(params.name, 'generateKey')(params, extractable,
        [...usages]);
  }

  async importKey(format, data, algorithm, extractable, usages) {
    const params = normalize(algorithm);
    const material = format === 'jwk' ? data : dataOf(data, 'the key').slice();
    return operation(params.name, 'importKey')(format, material, params,
        extractable, [...usages]);
  }

  async exportKey(format, key) {
    if (!(key instanceof CryptoKey))
      throw new TypeError('crypto.subtle.exportKey: not a CryptoKey');
    if (!key.extractable)
      throw fault('InvalidAccessError', 'the key is not extractable');
    const exported = operation(key.algorithm.name, 'exportKey')(format, key,
        materialOf(key));
    return format === 'jwk' ? exported : bufferOf(exported);
  }

  async deriveBits(algorithm, key, length = null) {
    const params = normalize(algorithm);
    return bufferOf(derive(params, useKey(key, params, 'deriveBits'), length));
  }

  async deriveKey(algorithm, key, derived, extractable, usages) {
    const params = normalize(algorithm);
    const target = normalize(derived);
    const length = operation(target.name, 'keyLength')(target);
    const bits = derive(params, useKey(key, params, 'deriveKey'), length);
    return operation(target.name, 'importKey')('raw', bits, target,
        extractable, [...usages]);
  }

  async wrapKey(format, key, wrapping, algorithm) {
    const exported = await this.exportKey(format, key);
    const bytes = format === 'jwk' ?
      native.utf8Encode(JSON.stringify(exported)) : new Uint8Array(exported);
    const params = normalize(algorithm);
    useKey(wrapping, params, 'wrapKey');
    return bufferOf(operation(params.name, KEY_OPERATIONS.wrapKey)(params,
        wrapping, bytes));
  }

  async unwrapKey(format, wrapped, wrapping, algorithm, target, extractable,
      usages) {
    const params = normalize(algorithm);
    useKey(wrapping, params, 'unwrapKey');
    const bytes = operation(params.name, KEY_OPERATIONS.unwrapKey)(params,
        wrapping, dataOf(wrapped));
    return this.importKey(format, format === 'jwk' ?
      JSON.parse(native.utf8Decode(bytes, true)) : bytes, target,
    extractable, usages);
  }
}

defineInterfaces({ CryptoKey, SubtleCrypto });

export const subtle = new SubtleCrypto();
