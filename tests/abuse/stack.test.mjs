// SPDX-License-Identifier: Apache-2.0

// Promise: a tool that ends its stack, or a parser's, ends only itself.

import { corpus } from './corpus.mjs';

corpus('stack');
