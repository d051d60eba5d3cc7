// SPDX-License-Identifier: Apache-2.0
// Math.random that two cells never share: xoshiro128** over a state which the
// glue fills afresh after every fork. V8's own generator would repeat itself.

import { native } from '../native.js';

/** Two steps, 53 bits. */
export const { random } = {
  random() {
    const high = step() >>> 5;
    return (high * 0x4000000 + (step() >>> 6)) / 0x20000000000000;
  },
};

function step() {
  const state = native.randomState;
  const s1 = state[1];
  const five = Math.imul(s1, 5);
  const result = Math.imul((five << 7) | (five >>> 25), 9);
  state[2] ^= state[0];
  state[3] ^= s1;
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= s1 << 9;
  state[3] = (state[3] << 11) | (state[3] >>> 21);
  return result;
}
