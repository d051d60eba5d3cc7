// SPDX-License-Identifier: Apache-2.0

// The world's process: name server and origins, in a network namespace where
// every address is local but those of the inside. Told what to do by the test
// (world.mjs); ends with it.

import { execFileSync, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Authority } from './certificates.mjs';
import { Names } from './dns.mjs';
import { Origins } from './origins.mjs';

const [folder] = process.argv.slice(2);
const authorities = { ca: new Authority(folder),
  other: new Authority(folder, 'other') };
const names = new Names();
const origins = new Origins();
const children = [];

const ip = (...words) => execFileSync('ip', words,
  { stdio: ['ignore', 'ignore', 'pipe'] });

// AnyIP: whatever is dialled is here, but what is on the link.
function link({ device, own, peer }) {
  for (const [i, family] of ['-4', '-6'].entries()) {
    if (own[i] === undefined) continue;
    ip(family, 'addr', 'add', ...own[i], 'dev', device);
  }
  ip('link', 'set', device, 'up');
  for (const [i, family] of ['-4', '-6'].entries()) {
    if (own[i] === undefined) continue;
    ip(family, 'route', 'add', 'table', 'local', peer[i], 'dev', device);
    ip(family, 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', 'local');
  }
}

// IPv6 binds to configured addresses only.
const configured = new Set();
function own({ address }) {
  if (!address.includes(':') || address === '::' || configured.has(address)) return;
  ip('-6', 'addr', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
  configured.add(address);
}

const at = (where) => {
  own(where);
  return where;
};

const commands = {
  link,
  names: ({ address }) => names.listen(address),
  name: ({ name, script }) => names.set(name, script),
  questions: () => names.questions,
  http: (where) => origins.http(at(where)),
  https: (where) => origins.https(at(where),
    authorities[where.authority ?? 'ca'].certificate(
      where.certificate ?? [where.name], { days: where.days })),
  tcp: (where) => origins.tcp(at(where)),
  close: (where) => origins.close(where),
  certificate: ({ names: those }) => authorities.ca.certificate(those),
  // Nobody answers there at all.
  silence: ({ address }) => ip('route', 'add', 'blackhole', address,
    'table', 'local'),
  // A program in the world; answers with its first line.
  run: ({ words, env }) => new Promise((done, fail) => {
    const child = spawn(words[0], words.slice(1),
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    children.push(child);
    child.on('error', fail);
    child.stdout.once('data', (bytes) => done(
      { pid: child.pid, said: bytes.toString().split('\n')[0] }));
    child.on('exit', () => done({ pid: child.pid, said: '' }));
  }),
  connections: () => origins.connections,
  requests: () => origins.requests,
  forget: () => {
    origins.connections.splice(0);
    origins.requests.splice(0);
    names.questions.splice(0);
  },
};

process.on('message', async ({ id, command, arg }) => {
  try {
    process.send({ id, value: await commands[command](arg) });
  } catch (error) {
    process.send({ id, error: `${command}: ${error.stderr ?? error.stack}` });
  }
});

function end() {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
process.on('disconnect', end);
process.on('SIGTERM', end);
process.on('uncaughtException', (error) => {
  console.error('the world:', error);
});
process.send({ ready: true });
