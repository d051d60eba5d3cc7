// SPDX-License-Identifier: Apache-2.0
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

export function tinyServer() {
  const server = new McpServer({ name: 'tiny', version: '1.0.0' });
  server.registerTool('tiny', { inputSchema: { price: z.number() } }, ({ price }) => ({
    content: [{ type: 'text', text: JSON.stringify({ doublePrice: price * 2 }) }],
  }));
  return server;
}
