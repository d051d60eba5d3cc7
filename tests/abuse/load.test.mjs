// SPDX-License-Identifier: Apache-2.0

// Promise: a bundle that fails, loops or floods memory while it loads is
// refused with the reason, and nothing of it stays.

import { corpus } from './corpus.mjs';

corpus('load', { withinMs: 40_000 });
