// SPDX-License-Identifier: Apache-2.0
// The tiny tool of stdio.mjs, spoken over each connection of a Unix socket: what
// a gateway finds that connects instead of starting processes.
import { createServer } from 'node:net';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { tinyServer } from './tiny.mjs';

const listener = createServer(async (connection) => {
  connection.on('error', () => connection.destroy());
  await tinyServer().connect(new StdioServerTransport(connection, connection));
});
listener.listen(process.argv[2], () => console.log('listening'));
