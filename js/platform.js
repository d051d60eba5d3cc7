// SPDX-License-Identifier: Apache-2.0
// The web platform and the entry into a tool, for one V8 context. Runs in the
// zygote, once, before any tenant's code; see README.md for the contract.

import { entry } from './entry/entry.js';
import { setNative } from './native.js';
import { installGlobals } from './globals.js';
import { resetPerformance } from './web/performance.js';

export function bootstrap(native) {
  setNative(native);
  installGlobals();
  resetPerformance();
  return entry;
}
