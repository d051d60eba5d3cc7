// SPDX-License-Identifier: Apache-2.0
// `deno run` without any permission for every call.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { binary } from '../lib/binaries.mjs';
import { scratch } from '../lib/files.mjs';
import { moduleText } from '../lib/inside.mjs';

const PROLOGUE = 'const reply = (text) => { console.log(text); setInterval(() => {}, 1000); };';

async function call(file) {
  const child = spawn(binary('deno'), ['run', '--no-prompt', '--no-remote', '--quiet', '--no-check', file],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8');
  const [answer] = await once(child.stdout, 'data');
  return { child, answer };
}

async function end(child) {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export default {
  open(task) {
    const file = scratch('main.mjs', moduleText(task, PROLOGUE));
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
