// SPDX-License-Identifier: Apache-2.0
// tmcp with its HTTP transport.

import { ZodJsonSchemaAdapter } from '@tmcp/adapter-zod';
import { HttpTransport } from '@tmcp/transport-http';
import { McpServer } from 'tmcp';
import { z } from 'zod';

const server = new McpServer(
  { name: 'tmcp', version: '1.0.0', description: 'Adds and echoes' },
  { adapter: new ZodJsonSchemaAdapter(), capabilities: { tools: {} } },
);

server.tool({
  name: 'add',
  description: 'Adds two numbers',
  schema: z.object({ a: z.number(), b: z.number() }),
}, async ({ a, b }) => ({
  content: [{ type: 'text', text: String(a + b) }],
}));

server.tool({
  name: 'echo',
  description: 'Says what it was told',
  schema: z.object({ text: z.string() }),
}, async ({ text }) => ({ content: [{ type: 'text', text }] }));

const transport = new HttpTransport(server, { path: '/mcp' });

export default {
  async fetch(request: Request): Promise<Response> {
    return await transport.respond(request) ??
      new Response('not found', { status: 404 });
  },
};
