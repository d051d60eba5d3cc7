// SPDX-License-Identifier: Apache-2.0

// Promise: a tool reaches its input, the web platform, and nothing else.

import { corpus } from './corpus.mjs';

corpus('escape');
