// SPDX-License-Identifier: Apache-2.0

// A session of the older revisions by hand: every status, header and event is
// seen as it came.

const COMMON = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

// The events of a stream: {id?, retry?, data?}, comments left out.
export async function* eventsOf(body) {
  let rest = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const event = {};
      for (const line of block.split(/\r?\n/)) {
        const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (field === undefined) continue;
        event[field] = field in event ? `${event[field]}\n${value}` : value;
      }
      if (Object.keys(event).length > 0) yield event;
    }
  }
}

export const messageIn = ({ data }) =>
  (data === undefined || data === '' ? undefined : JSON.parse(data));

export class Session {
  static #lastId = 0;

  // Opens one; `headers` hold who asks.
  static async open(url, headers, { version = '2025-11-25', capabilities = {} } = {}) {
    const session = new Session();
    Object.assign(session, { url, headers: { ...COMMON, ...headers } });
    const { status, result, response } = await session.request('initialize', {
      protocolVersion: version, capabilities,
      clientInfo: { name: 'cordon-tests', version: '1.0.0' } });
    if (status !== 200) throw new Error(`initialize: ${status}`);
    session.result = result;
    session.id = response.headers.get('mcp-session-id');
    session.headers['mcp-protocol-version'] = result.protocolVersion;
    if (session.id !== null) session.headers['mcp-session-id'] = session.id;
    const ready = await session.post(
      { jsonrpc: '2.0', method: 'notifications/initialized' });
    await ready.body?.cancel();
    if (ready.status !== 202) throw new Error(`initialized: ${ready.status}`);
    return session;
  }

  post(message, { headers = {}, signal } = {}) {
    return fetch(this.url, { method: 'POST', signal,
      headers: { ...this.headers, ...headers }, body: JSON.stringify(message) });
  }

  // A request and its answer; what came before the answer is in `before`, and
  // what was asked meanwhile is answered by `answer`.
  async request(method, params, { answer, ...init } = {}) {
    const id = ++Session.#lastId;
    const response = await this.post({ jsonrpc: '2.0', id, method, params }, init);
    const { status } = response;
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('text/event-stream')) {
      const text = await response.text();
      const message = type.startsWith('application/json') ? JSON.parse(text) : { text };
      return { status, response, before: [], id, ...message };
    }
    const before = [];
    const events = [];
    for await (const event of eventsOf(response.body)) {
      events.push(event);
      const message = messageIn(event);
      if (message === undefined) continue;
      if (message.id === id && message.method === undefined) {
        return { status, response, before, events, ...message };
      }
      before.push(message);
      if (message.id !== undefined && message.method !== undefined && answer) {
        await this.post({ jsonrpc: '2.0', id: message.id,
          result: answer(message) }).then((sent) => sent.body?.cancel());
      }
    }
    return { status, response, before, events, ended: true };
  }

  call(name, args = {}, init) {
    return this.request('tools/call', { name, arguments: args }, init);
  }

  // The GET stream. `since` is the last event that was seen.
  async stream({ since, signal } = {}) {
    const response = await fetch(this.url, { signal, headers: { ...this.headers,
      accept: 'text/event-stream',
      ...since === undefined ? {} : { 'last-event-id': since } } });
    return { status: response.status, response,
      events: response.ok ? eventsOf(response.body) : undefined };
  }

  async end(headers = {}) {
    const response = await fetch(this.url,
      { method: 'DELETE', headers: { ...this.headers, ...headers } });
    await response.body?.cancel();
    return response.status;
  }
}
