// SPDX-License-Identifier: Apache-2.0

// Promise: a call's memory is bounded, and everything counts: heap, array
// buffers of every kind, WebAssembly. Seen from outside by resident size.

import { corpus } from './corpus.mjs';

corpus('memory', {
  defaults: { control: 'grows', args: '--timeout-cpu 10s' },
  sized: true,
  withinMs: 30_000,
});
