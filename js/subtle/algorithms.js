// SPDX-License-Identifier: Apache-2.0
// What each algorithm does. Every function gets normalized parameters.

import { AES } from './aes.js';
import { CURVES } from './curves.js';
import { HMAC, KDF } from './symmetric.js';

export const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

export const ALGORITHMS = { __proto__: null, HMAC, ...KDF, ...AES, ...CURVES };
