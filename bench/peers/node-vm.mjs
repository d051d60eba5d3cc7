// SPDX-License-Identifier: Apache-2.0
// A fresh context for every call, in the host's own isolate. Not a wall by
// Node's own documentation: the lower bound of what a context costs.
import vm from 'node:vm';

export default {
  open({ source, input }) {
    const script = new vm.Script(`${source};JSON.stringify(run(JSON.parse(input)))`);
    const kept = [];
    return {
      call: () => script.runInContext(vm.createContext({ input })),
      hold(count) {
        for (let i = 0; i < count; i++) {
          const context = vm.createContext({ input });
          script.runInContext(context);
          kept.push(context);
        }
      },
    };
  },
};
