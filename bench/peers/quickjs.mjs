// SPDX-License-Identifier: Apache-2.0
// A fresh QuickJS runtime for every call, all in one WebAssembly memory.
import { getQuickJS } from 'quickjs-emscripten';

// The script, with its answer as a promise of text in `answer`.
function prepared(task) {
  if (task.kind === 'tool')
    return `${task.source};globalThis.answer = JSON.stringify(run(JSON.parse(${JSON.stringify(task.input)})))`;
  const { url, ...init } = task.request;
  return `${task.script};serve(${JSON.stringify(url)}, ${JSON.stringify(JSON.stringify(init))})
.then((text) => { globalThis.answer = text; })`;
}

function call(quickjs, text) {
  const runtime = quickjs.newRuntime();
  const context = runtime.newContext();
  context.unwrapResult(context.evalCode(text)).dispose();
  runtime.executePendingJobs();
  const answer = context.getProp(context.global, 'answer').consume((value) => context.getString(value));
  return { runtime, context, answer };
}

export default {
  async open(task) {
    const quickjs = await getQuickJS();
    const text = prepared(task);
    const kept = [];
    return {
      call() {
        const { runtime, context, answer } = call(quickjs, text);
        context.dispose();
        runtime.dispose();
        return answer;
      },
      hold(count) {
        for (let i = 0; i < count; i++) kept.push(call(quickjs, text));
      },
    };
  },
};
