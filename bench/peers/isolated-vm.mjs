// SPDX-License-Identifier: Apache-2.0
// A fresh isolate for every call, in the host's process. One call at a time
// uses the synchronous interface, which is the faster; calls in flight
// together use the asynchronous one, which has threads.
import ivm from 'isolated-vm';
import { RUN, TIMEOUT_MS, ivmSession } from '../lib/ivm.mjs';

const options = { memoryLimit: 256 };

export default {
  open: ({ source, input }) => ivmSession({
    sync() {
      const isolate = new ivm.Isolate(options);
      const context = isolate.createContextSync();
      context.evalSync(source, { timeout: TIMEOUT_MS });
      const answer = context.evalClosureSync(RUN, [input], { timeout: TIMEOUT_MS });
      return { isolate, answer };
    },
    async together() {
      const isolate = new ivm.Isolate(options);
      const context = await isolate.createContext();
      await context.eval(source, { timeout: TIMEOUT_MS });
      const answer = await context.evalClosure(RUN, [input], { timeout: TIMEOUT_MS });
      return { isolate, answer };
    },
  }),
};
