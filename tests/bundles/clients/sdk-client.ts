// SPDX-License-Identifier: Apache-2.0
// The official SDK both ways: a server whose tool is a client of another server,
// reached by fetch().

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport }
  from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

async function toolsOf(url: string): Promise<string> {
  const client = new Client({ name: 'sdk-client', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  const { tools } = await client.listTools();
  const answer = await client.callTool({ name: tools[0].name,
    arguments: { text: 'there and back' } });
  await client.close();
  return JSON.stringify([tools.map(({ name }) => name), answer.content]);
}

function newServer(): McpServer {
  const server = new McpServer({ name: 'sdk-client', version: '1.0.0' });
  server.registerTool('ask', {
    description: 'Asks another server for its tools, and calls the first',
    inputSchema: z.object({ url: z.string() }),
  }, async ({ url }) => ({
    content: [{ type: 'text', text: await toolsOf(url) }],
  }));
  return server;
}

export default createMcpHandler(newServer);
