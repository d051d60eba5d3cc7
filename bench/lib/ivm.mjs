// SPDX-License-Identifier: Apache-2.0
// What the two isolated-vm peers share.

export const RUN = 'return JSON.stringify(run(JSON.parse($0)))';
export const TIMEOUT_MS = 5000;

// A session out of two functions that make one call in a fresh isolate and
// return {isolate, answer}; the isolate is let go here.
export function ivmSession({ sync, together }) {
  const kept = [];
  return {
    call() {
      const { isolate, answer } = sync();
      isolate.dispose();
      return answer;
    },
    async callTogether() {
      const { isolate, answer } = await together();
      isolate.dispose();
      return answer;
    },
    hold(count) {
      for (let i = 0; i < count; i++) kept.push(sync());
    },
  };
}
