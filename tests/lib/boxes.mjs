// SPDX-License-Identifier: Apache-2.0

// Stdio servers that a host keeps in boxes.

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { valueOf, callTool } from './mcp.mjs';
import { node, root } from './paths.mjs';
import { treeOf } from './processes.mjs';

export const stdioServer = resolve(root, 'tests/lib/stdio-server.cjs');

// Where nobody needs a token, admins do.
function headersOf(host) {
  if (host.token !== undefined) return host.headers;
  const token = readFileSync(join(host.folder, 'state', 'token'), 'utf8').trim();
  return { authorization: `Bearer ${token}` };
}

export async function admin(host, method, path, body) {
  const response = await fetch(`${host.url}/admin${path}`, {
    method, headers: { ...headersOf(host), 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body) });
  const said = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${said}`);
  return said === '' ? undefined : JSON.parse(said);
}

// What a program of this command may read, besides what every box has.
const policyOf = (read, limits) => ({ filesystem: { allowRead: read }, limits });

// Adds it, and approves what was added.
export async function addBox(host, name,
  { command = [node, stdioServer], read = [dirname(stdioServer), dirname(node)],
    memory = '2GiB', pids = 64, env, ...more } = {}) {
  const added = await admin(host, 'POST', '/servers', { name, kind: 'box', command,
    policy: { ...policyOf(read, { memory, pids }), ...env && { env } }, ...more });
  if (added.state !== 'approved')
    await admin(host, 'POST', `/servers/${name}/approve`, { digest: added.digest });
}

export const callBox = async (host, name, tool, args) =>
  valueOf(await callTool(host, name, tool, args));

// The launchers: one a box.
export const boxesOf = (host) =>
  treeOf(host.child.pid).filter(({ name }) => name === 'cordon-box');

export async function runtimeOf(host, name) {
  const { servers } = await admin(host, 'GET', '/runtime');
  return servers.find((one) => one.name === name);
}

export async function logOf(host, name) {
  const response = await fetch(`${host.url}/admin/servers/${name}/logs`,
    { headers: headersOf(host) });
  return (await response.text()).split('\n').filter(Boolean)
    .map((line) => JSON.parse(line).text);
}
