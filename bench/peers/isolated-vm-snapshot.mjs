// SPDX-License-Identifier: Apache-2.0
// A fresh isolate for every call out of a V8 start-up snapshot that holds the
// evaluated tool.
import ivm from 'isolated-vm';
import { RUN, TIMEOUT_MS, ivmSession } from '../lib/ivm.mjs';

export default {
  open({ source, input }) {
    const snapshot = ivm.Isolate.createSnapshot([{ code: source }], `run(${input})`);
    const options = { memoryLimit: 256, snapshot };
    return ivmSession({
      sync() {
        const isolate = new ivm.Isolate(options);
        const context = isolate.createContextSync();
        const answer = context.evalClosureSync(RUN, [input], { timeout: TIMEOUT_MS });
        return { isolate, answer };
      },
      async together() {
        const isolate = new ivm.Isolate(options);
        const context = await isolate.createContext();
        const answer = await context.evalClosure(RUN, [input], { timeout: TIMEOUT_MS });
        return { isolate, answer };
      },
    });
  },
};
