// SPDX-License-Identifier: Apache-2.0
// A fresh Deno worker without any permission for every call.
import { scratch } from '../lib/files.mjs';
import { moduleText } from '../lib/inside.mjs';

const PROLOGUE = 'const reply = (text) => self.postMessage(text);';

function call(url) {
  const worker = new Worker(url, { type: 'module', deno: { permissions: 'none' } });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve({ worker, answer: data });
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

export default {
  open(task) {
    const url = 'file://' + scratch('worker.mjs', moduleText(task, PROLOGUE));
    const kept = [];
    return {
      async call() {
        const { worker, answer } = await call(url);
        worker.terminate();
        return answer;
      },
      async hold(count) {
        for (let i = 0; i < count; i++) kept.push(await call(url));
      },
    };
  },
};
