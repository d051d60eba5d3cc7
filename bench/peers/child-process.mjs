// SPDX-License-Identifier: Apache-2.0
// A fresh Node process for every call.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { scratch } from '../lib/files.mjs';
import { moduleText } from '../lib/inside.mjs';

const PROLOGUE = `import process from 'node:process';
process.on('message', () => {});
const reply = (text) => process.send(text);`;

async function call(file) {
  const child = fork(file, { execArgv: [] });
  const [answer] = await once(child, 'message');
  return { child, answer };
}

async function end(child) {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export default {
  open(task) {
    const file = scratch('child.mjs', moduleText(task, PROLOGUE));
    const kept = [];
    return {
      async call() {
        const { child, answer } = await call(file);
        await end(child);
        return answer;
      },
      async hold(count) {
        for (let i = 0; i < count; i++) kept.push(await call(file));
      },
      close: () => Promise.all(kept.map(({ child }) => end(child))),
    };
  },
};
