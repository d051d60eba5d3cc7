// Walks everything that can be reached, for what only a host should have.
// expect: ok
// result: []
// args: --timeout-cpu 5s
// control: returns dlopen|binding|reallyExit
function run() {
  const inner = /^(dlopen|_?kill|chdir|binding|_linkedBinding|reallyExit|utf8EncodeInto|urlParse|urlSet|[gs]etContinuation|describe|pickEntry|native|codegenNote)$/;
  const seen = new Set();
  const queue = [globalThis, globalThis.process, run, (async () => {}), function* () {}, new Error('x')];
  const found = new Set();
  while (queue.length > 0) {
    const one = queue.pop();
    if (one === null || (typeof one !== 'object' && typeof one !== 'function')) continue;
    if (seen.has(one)) continue;
    seen.add(one);
    queue.push(Object.getPrototypeOf(one));
    for (const key of Reflect.ownKeys(one)) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(one, key);
      if (typeof key === 'string' && inner.test(key)) found.add(key);
      if (typeof value === 'function' && inner.test(value.name)) found.add(value.name);
      queue.push(value, get, set);
    }
  }
  return [...found].sort();
}
