// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { DOMException } from './domexception.js';

export function structuredClone(value, options = undefined) {
  const transfer = [...options?.transfer ?? []];
  for (const one of transfer) {
    if (!native.isArrayBuffer(one)) {
      throw new DOMException('structuredClone: only an ArrayBuffer can be ' +
          'transferred', 'DataCloneError');
    }
  }
  try {
    return native.structuredClone(value, transfer);
  } catch (error) {
    if (Error.isError(error) && error.name === 'DataCloneError')
      throw new DOMException(error.message, 'DataCloneError');
    throw error;
  }
}
