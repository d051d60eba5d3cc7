// SPDX-License-Identifier: Apache-2.0
// Who is measured. `walls` is what stands between two calls; `fresh` says that
// every call gets an engine of its own; `polyfilled`, that an SDK bundle gets a
// platform from npm beside it, since the peer has none.

export const peers = [
  { name: 'isolated-vm', label: 'isolated-vm, fresh isolate', package: 'isolated-vm',
    walls: 'isolate in the host process', fresh: true, polyfilled: true },
  { name: 'isolated-vm-snapshot', label: 'isolated-vm, isolate from a snapshot', package: 'isolated-vm',
    walls: 'isolate in the host process', fresh: true, polyfilled: true },
  { name: 'node-vm', label: 'node:vm, fresh context',
    walls: 'none (not a security boundary)', fresh: true, polyfilled: true },
  { name: 'quickjs', label: 'quickjs-emscripten, fresh runtime', package: 'quickjs-emscripten',
    walls: 'interpreter in WebAssembly', fresh: true, polyfilled: true },
  { name: 'worker-threads', label: 'worker_threads, fresh worker',
    walls: 'none (all of Node inside)', fresh: true },
  { name: 'child-process', label: 'child_process.fork',
    walls: 'process, unconfined', fresh: true },
  { name: 'workerd', label: 'workerd, dynamic worker loader', package: 'workerd',
    walls: 'isolate in a shared process', fresh: true },
  { name: 'deno-worker', label: 'deno, fresh Worker, no permissions', package: 'deno', runtime: 'deno',
    walls: 'isolate and permissions, shared process', fresh: true },
  { name: 'deno-run', label: 'deno run, no permissions', package: 'deno',
    walls: 'process and permissions', fresh: true },
  { name: 'workerd-static', label: 'workerd, one warm isolate for all calls', package: 'workerd',
    walls: 'none between calls', fresh: false },
];
