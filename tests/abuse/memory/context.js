// What each turn keeps in its asynchronous context.
// expect: memory
import { AsyncLocalStorage } from 'node:async_hooks';
const storage = new AsyncLocalStorage();
const kept = [];
export default { tools: { keep: { async run() {
  for (let i = 0; ; i++) {
    kept.push(storage.run(new Array(1e5).fill(i), () => AsyncLocalStorage.bind(() => i)));
    await null;
  }
} } } };
