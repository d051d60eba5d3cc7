// SPDX-License-Identifier: Apache-2.0

// MCP by hand: one POST a message, for tests that count or break things.

let lastId = 0;

export const initializeParams = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'cordon-tests', version: '1.0.0' },
};

// The message in an answer, be it JSON or a stream of events.
export async function messageOf(response) {
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('text/event-stream')) return JSON.parse(text);
  const data = text.split(/\r?\n\r?\n/)
    .map((event) => event.split(/\r?\n/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).trimStart()).join('\n'))
    .filter(Boolean).map((one) => JSON.parse(one));
  return data.find((one) => 'result' in one || 'error' in one);
}

export function post(host, server, message, headers = {}) {
  return host.fetch(server, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  });
}

export async function rpc(host, server, method, params) {
  const id = ++lastId;
  const response = await post(host, server,
    { jsonrpc: '2.0', id, method, params });
  return { status: response.status, ...await messageOf(response) };
}

export async function callTool(host, server, name, args) {
  const { result, error } = await rpc(host, server, 'tools/call',
    { name, arguments: args });
  if (error) throw Object.assign(new Error(error.message), { error });
  return result;
}

// What a tool of the host's own kind answered, as a value.
export function valueOf(result) {
  if (result.structuredContent !== undefined) return result.structuredContent;
  const text = result.content?.find((one) => one.type === 'text')?.text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// Runs count calls of make(i), width at a time; answers in their order.
export async function inParallel(count, width, make) {
  const answers = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const i = next++;
      answers[i] = await make(i);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return answers;
}
