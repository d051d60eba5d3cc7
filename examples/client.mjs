// An MCP client made with the official SDK: connects, lists the tools, calls
// them, and says how long each took.
//
//     node examples/client.mjs URL TOKEN TOOL JSON
//     node examples/client.mjs http://127.0.0.1:7330/s/pricing/mcp "$TOKEN" \
//         double_price '{"price":45}'

import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

// `mode` is the era: 'legacy' (until 2025-11-25), { pin: '2026-07-28' }, or
// 'auto'. With `elicit` the server may ask the user, who answers by it.
export async function connect(url, token, { mode = 'auto', elicit } = {}) {
  const client = new Client(
    { name: 'cordon-example', version: '1.0.0' },
    { versionNegotiation: { mode },
      capabilities: elicit ? { elicitation: { form: {} } } : {} },
  );
  if (elicit) client.setRequestHandler('elicitation/create', elicit);
  const headers = { authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(url),
    { requestInit: { headers } });
  await client.connect(transport);
  return client;
}

export async function timed(work) {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

// A tool's answer, as text for a person.
export function textOf({ content = [], structuredContent }) {
  if (structuredContent !== undefined) return JSON.stringify(structuredContent);
  return content.map((one) => one.text ?? `[${one.type}]`).join('\n');
}

async function main([url, token, name, json = '{}']) {
  const client = await connect(url, token);
  const { tools } = await client.listTools();
  for (const tool of tools) console.log(`${tool.name}: ${tool.description}`);
  if (name !== undefined) {
    const { value, ms } = await timed(() =>
      client.callTool({ name, arguments: JSON.parse(json) }));
    console.log(`${name} -> ${textOf(value)} (${ms.toFixed(2)} ms)`);
  }
  await client.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2));
}
