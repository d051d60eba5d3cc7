// SPDX-License-Identifier: Apache-2.0
// A workerd process with three services: the driver, the tool as a static
// service, and a loader for the tool as dynamic workers. The header x-bench says
// which: "static", "fresh", or the name of a dynamic worker that stays.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { binary } from './binaries.mjs';
import { scratch } from './files.mjs';

// The last before Node's interfaces came into every isolate by default: faster.
const DATE = '2026-08-01';

const DRIVER = `import source from 'source';
const code = () => ({
  compatibilityDate: '${DATE}',
  mainModule: 'main.js', modules: { 'main.js': source }, globalOutbound: null });
export default {
  async fetch(request, env) {
    const which = request.headers.get('x-bench');
    if (which === 'static') return env.TOOL.fetch(request);
    const worker = which === 'fresh' ? env.LOADER.load(code()) : env.LOADER.get(which, code);
    return worker.getEntrypoint().fetch(request);
  },
};
`;

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "driver", worker = .driver), (name = "tool", worker = .tool) ],
  sockets = [ (name = "http", http = (), service = "driver") ]);
const driver :Workerd.Worker = (
  modules = [ (name = "driver.mjs", esModule = embed "driver.mjs"), (name = "source", text = embed "tool.mjs") ],
  bindings = [ (name = "TOOL", service = "tool"), (name = "LOADER", workerLoader = ()) ],
  compatibilityDate = "${DATE}");
const tool :Workerd.Worker = (
  modules = [ (name = "tool.mjs", esModule = embed "tool.mjs") ],
  compatibilityDate = "${DATE}");
`;

function toolText(task) {
  if (task.kind === 'bundle') return task.source;
  return `${task.source}
export default { async fetch(request) { return new Response(JSON.stringify(run(await request.json()))); } };
`;
}

function exchange(options, body) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(options, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (piece) => { text += piece; });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function start(task) {
  scratch('driver.mjs', DRIVER);
  scratch('tool.mjs', toolText(task));
  const config = scratch('config.capnp', CONFIG);
  const socketPath = join(dirname(config), 'workerd.sock');
  const child = spawn(binary('workerd'), ['serve', '--experimental', '-s', `http=unix:${socketPath}`, config],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  return { child, socketPath };
}

async function answering(child, call) {
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`);
    try {
      return await call();
    } catch {
      await sleep(50);
    }
  }
  throw new Error('workerd did not answer within 5 s');
}

export async function openWorkerd(task, mode) {
  const { child, socketPath } = await start(task);
  const agent = new Agent({ keepAlive: true });
  const headers = Object.fromEntries(task.request?.headers ?? [['content-type', 'application/json']]);
  const body = task.request?.body ?? task.input;
  const send = (which) => exchange({ agent, socketPath, method: 'POST', path: '/mcp',
    headers: { host: '127.0.0.1', ...headers, 'x-bench': which } }, body);
  let held = 0;
  await answering(child, () => send('static'));
  return {
    root: child.pid,
    call: () => send(mode),
    named: send,
    async hold(count) {
      for (const end = held + count; held < end; held++) await send(`held-${held}`);
    },
    async close() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
