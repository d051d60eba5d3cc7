// SPDX-License-Identifier: Apache-2.0
// A fresh thread, isolate and Node environment for every call.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { scratch } from '../lib/files.mjs';
import { moduleText } from '../lib/inside.mjs';

const PROLOGUE = `import { parentPort } from 'node:worker_threads';
parentPort.on('message', () => {});
const reply = (text) => parentPort.postMessage(text);`;

async function call(file) {
  const worker = new Worker(file);
  const [answer] = await once(worker, 'message');
  return { worker, answer };
}

export default {
  open(task) {
    const file = scratch('worker.mjs', moduleText(task, PROLOGUE));
    const kept = [];
    return {
      async call() {
        const { worker, answer } = await call(file);
        await worker.terminate();
        return answer;
      },
      async hold(count) {
        for (let i = 0; i < count; i++) kept.push(await call(file));
      },
    };
  },
};
