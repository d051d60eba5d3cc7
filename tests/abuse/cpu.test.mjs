// SPDX-License-Identifier: Apache-2.0

// Promise: a call ends at its CPU or wall limit, whatever it is doing.

import { corpus } from './corpus.mjs';

corpus('cpu', { defaults: { control: 'stays' } });
