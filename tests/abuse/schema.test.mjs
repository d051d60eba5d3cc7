// SPDX-License-Identifier: Apache-2.0

// Promise: what a schema may cost is what its own cell may cost, and a tool
// that breaks the check of its input breaks its own only.

import { corpus } from './corpus.mjs';

corpus('schema');
