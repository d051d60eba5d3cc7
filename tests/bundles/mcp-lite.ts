// SPDX-License-Identifier: Apache-2.0
// mcp-lite on its own.

import { McpServer, StreamableHttpTransport } from 'mcp-lite';
import { z } from 'zod';

const server = new McpServer({
  name: 'mcp-lite',
  version: '1.0.0',
  schemaAdapter: (schema) => z.toJSONSchema(schema as z.ZodType),
});

server.tool('add', {
  description: 'Adds two numbers',
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  handler: ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }] }),
});

server.tool('echo', {
  description: 'Says what it was told',
  inputSchema: z.object({ text: z.string() }),
  handler: ({ text }) => ({ content: [{ type: 'text', text }] }),
});

const handle = new StreamableHttpTransport().bind(server);

export default {
  fetch: (request: Request): Promise<Response> => handle(request),
};
