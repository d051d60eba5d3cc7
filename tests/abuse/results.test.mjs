// SPDX-License-Identifier: Apache-2.0

// Promise: a tool chooses what it answers, never the shape or size of answers.

import { corpus } from './corpus.mjs';

corpus('results', { withinMs: 40_000 });
