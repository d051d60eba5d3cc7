// SPDX-License-Identifier: Apache-2.0
// A fresh context for every call, in the host's own isolate. Not a wall by
// Node's own documentation: the lower bound of what a context costs.
import vm from 'node:vm';

// The script, compiled once, and the globals of a call.
function prepared(task) {
  if (task.kind === 'tool')
    return { script: new vm.Script(`${task.source};JSON.stringify(run(JSON.parse(input)))`), globals: { input: task.input } };
  const { url, ...init } = task.request;
  return { script: new vm.Script(`${task.script};serve(url, init)`), globals: { url, init: JSON.stringify(init) } };
}

export default {
  open(task) {
    const { script, globals } = prepared(task);
    const kept = [];
    return {
      call: () => script.runInContext(vm.createContext({ ...globals })),
      async hold(count) {
        for (let i = 0; i < count; i++) {
          const context = vm.createContext({ ...globals });
          await script.runInContext(context);
          kept.push(context);
        }
      },
    };
  },
};
