// SPDX-License-Identifier: Apache-2.0
// What the two isolated-vm peers share: how each kind of workload is called in
// a fresh context, and what becomes of the isolate.

const TIMEOUT_MS = 5000;

// {source, call, args, options} of the workload.
export function ivmWork(task) {
  if (task.kind === 'tool')
    return { source: task.source, call: 'return JSON.stringify(run(JSON.parse($0)))', args: [task.input],
      warm: `run(${task.input})`, options: { timeout: TIMEOUT_MS } };
  const { url, ...init } = task.request;
  const args = [url, JSON.stringify(init)];
  return { source: task.script, call: 'return serve($0, $1)', args, warm: `serve(...${JSON.stringify(args)})`,
    options: { timeout: TIMEOUT_MS, result: { promise: true, copy: true } } };
}

// A session out of newIsolate() and the sources each fresh context evaluates.
// One call at a time uses the synchronous interface where it can, which is the
// faster; calls in flight together use the asynchronous one, which has threads.
export function ivmSession(task, newIsolate, sources) {
  const { call, args, options } = ivmWork(task);
  const kept = [];
  const sync = () => {
    const isolate = newIsolate();
    const context = isolate.createContextSync();
    for (const source of sources) context.evalSync(source, { timeout: TIMEOUT_MS });
    return { isolate, answer: context.evalClosureSync(call, args, options) };
  };
  const together = async () => {
    const isolate = newIsolate();
    const context = await isolate.createContext();
    for (const source of sources) await context.eval(source, { timeout: TIMEOUT_MS });
    return { isolate, answer: await context.evalClosure(call, args, options) };
  };
  const ended = async (work) => {
    const { isolate, answer } = await work;
    isolate.dispose();
    return answer;
  };
  const one = task.kind === 'tool' ? sync : together;
  return {
    call: () => ended(one()),
    callTogether: () => ended(together()),
    async hold(count) {
      for (let i = 0; i < count; i++) kept.push(await one());
    },
  };
}
