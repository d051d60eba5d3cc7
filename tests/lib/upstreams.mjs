// SPDX-License-Identifier: Apache-2.0

// The conformance fixture as every kind of upstream that the host knows, ready
// to be served.

import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { inetd } from '../conformance/inetd.mjs';
import { addBox } from './boxes.mjs';
import { Host } from './host.mjs';
import { rpc } from './mcp.mjs';
import { node, root } from './paths.mjs';

export const fixture = (name) => resolve(root, 'tests/conformance', name);

// By the server's name: what it is.
export const upstreams = {
  isolate: 'a declarative server in cells',
  both: 'a stdio server of both eras',
  legacy: 'a stdio server of the older revisions',
  modern: 'a stdio server of 2026-07-28 alone',
};

// A server over stdio that takes an era as its last argument.
export const ofEachEra = (command) => Object.fromEntries(
  ['both', 'legacy', 'modern'].map((era) => [era, [...command, era]]));

// A relay for each command, in a folder that goes with them.
export async function startRelays(commands) {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-relay-'));
  const relays = {};
  for (const [name, [file, ...args]] of Object.entries(commands)) {
    relays[name] = await inetd(join(folder, name), file, args);
  }
  return {
    relays,
    servers: Object.fromEntries(Object.entries(relays)
      .map(([name, { path }]) => [name, { socket: path }])),
    async close() {
      for (const relay of Object.values(relays)) await relay.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// What a program of the fixture's folder reads.
export const fixtureRead = () => [dirname(node), fixture('.'),
  realpathSync(fixture('node_modules'))];

// A host that serves the fixture four times, and whatever else. stop() ends
// all, and says how. `boxes`: the stdio servers are the host's own, in boxes;
// else somebody else's, behind sockets.
export async function startEverything({ files = {}, config = {}, args = [],
  commands = {}, boxes } = {}) {
  const all = { ...ofEachEra([node, fixture('stdio.mjs')]), ...commands };
  const started = await startRelays(boxes === undefined ? all : {});
  try {
    const host = await Host.start({
      files: { 'isolate.js': readFileSync(fixture('everything.js'), 'utf8'), ...files },
      config: { ...config, servers: { ...started.servers, ...config.servers } },
      args,
    });
    if (boxes !== undefined)
      for (const [name, command] of Object.entries(all))
        await addBox(host, name, { command, read: fixtureRead(), ...boxes });
    // A list of all leaves out who is slow to start; here, nobody is.
    await Promise.all(Object.keys(upstreams)
      .map((server) => rpc(host, server, 'tools/list', {})));
    return {
      host,
      relays: started.relays,
      async stop() {
        const ended = await host.stop();
        await started.close();
        return ended;
      },
    };
  } catch (error) {
    await started.close();
    throw error;
  }
}
