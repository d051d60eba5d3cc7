// SPDX-License-Identifier: Apache-2.0

// What inetd does: listens on a Unix socket, and starts a process for each
// connection, with the connection as its stdin and stdout. The end of the
// connection is the end of the process.

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const GRACE_MS = 2000;

// Each byte is passed on as it comes, both ways, with backpressure.
export async function inetd(path, command, args, { env = process.env } = {}) {
  const children = new Set();
  let started = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    started++;
    children.add(child);
    const end = () => child.kill('SIGKILL');
    let timer;
    child.on('error', () => socket.destroy());
    child.on('close', () => {
      clearTimeout(timer);
      children.delete(child);
      socket.destroy();
    });
    child.stdin.on('error', () => {}); // it may end before it read everything
    socket.on('error', end);
    socket.on('close', () => { timer ??= setTimeout(end, GRACE_MS); });
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  await new Promise((listening, failed) => {
    server.on('error', failed);
    server.listen(path, listening);
  });
  return {
    path,
    children,
    started: () => started,
    async close() {
      const ends = [...children].map((child) =>
        new Promise((ended) => child.on('close', ended)));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([...ends, new Promise((closed) => server.close(closed))]);
    },
  };
}
