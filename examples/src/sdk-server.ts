// A server written with the official SDK for a Workers-style platform. The
// host hands it each request as it came, in a process of its own, and knows
// nothing of what it does.

import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';

function newServer(): McpServer {
  const server = new McpServer({ name: 'sdk-server', version: '1.0.0' });

  server.registerTool(
    'word_count',
    {
      description: 'Counts the words of a text.',
      inputSchema: z.object({ text: z.string().max(100_000) }),
      outputSchema: z.object({ words: z.number(), longest: z.string() }),
    },
    async ({ text }) => {
      const words = text.match(/[\p{L}\p{N}'’]+/gu) ?? [];
      const longest = words.reduce((a, b) => (b.length > a.length ? b : a), '');
      const structuredContent = { words: words.length, longest };
      return {
        content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
        structuredContent,
      };
    },
  );

  server.registerTool(
    'add',
    {
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
    },
    async ({ a, b }) => ({
      content: [{ type: 'text', text: String(a + b) }],
    }),
  );

  return server;
}

const handler = createMcpHandler(() => newServer());

export default {
  fetch: (request: Request) => handler.fetch(request),
};
