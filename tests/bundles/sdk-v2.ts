// SPDX-License-Identifier: Apache-2.0
// The official SDK, version 2: both eras from one handler.

import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

function newServer(): McpServer {
  const server = new McpServer({ name: 'sdk-v2', version: '1.0.0' });
  server.registerTool('add', {
    description: 'Adds two numbers',
    inputSchema: z.object({ a: z.number(), b: z.number() }),
  }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  server.registerTool('echo', {
    description: 'Says what it was told',
    inputSchema: z.object({ text: z.string() }),
  }, async ({ text }) => ({ content: [{ type: 'text', text }] }));
  return server;
}

export default createMcpHandler(newServer);
