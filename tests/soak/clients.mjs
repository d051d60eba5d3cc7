// SPDX-License-Identifier: Apache-2.0

// Clients as they come: of both eras, some polite, some that never say goodbye.
// Each request carries a nonce, and its answer must carry the same. An outage
// may show as a closed connection or as an error with a sentence; silence or
// somebody else's answer may not.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Session, messageIn } from '../lib/session.mjs';

const MODERN = '2026-07-28';
const META = 'io.modelcontextprotocol/';
const DEADLINE_MS = 20_000;

export const pick = (list) => list[Math.floor(Math.random() * list.length)];

const textOf = (result) => result?.content?.map(({ text }) => text).join('');

// What a run saw. `wrong` must stay empty.
export class Tally {
  answered = 0;
  refused = 0; // an error, or a status, that says why
  closed = 0; // the connection ended
  reasons = {}; // why it was refused, and how often
  wrong = [];

  fault(what) {
    if (this.wrong.length < 20) this.wrong.push(what);
  }

  // One request: within the deadline, or it is a fault.
  async take(what, make) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error('deadline')), DEADLINE_MS);
    try {
      const seen = await make(stop.signal);
      this[seen]++;
    } catch (error) {
      if (stop.signal.aborted) this.fault(`${what}: no answer for ${DEADLINE_MS} ms`);
      else if (error instanceof SyntaxError) this.fault(`${what}: ${error.message}`);
      else this.closed++;
    } finally {
      clearTimeout(timer);
    }
  }

  // Whether an answer belongs to its request.
  judge(what, nonce, { status, result, error, ended, text }) {
    if (ended) return 'closed';
    if (error !== undefined || result?.isError) {
      const sentence = error?.message ?? error ?? textOf(result);
      if (typeof sentence !== 'string' || sentence === '')
        this.fault(`${what}: an error without a sentence (${status})`);
      this.reasons[sentence] = (this.reasons[sentence] ?? 0) + 1;
      return 'refused';
    }
    if (result === undefined) {
      if (status === 200) this.fault(`${what}: 200 without an answer: ${text}`);
      return 'refused';
    }
    if (textOf(result) !== nonce)
      this.fault(`${what}: asked ${nonce}, got ${JSON.stringify(result)}`);
    return 'answered';
  }
}

const url = (host, server) => host.endpoint(server);
const echo = (nonce) => ({ nonce, ms: Math.floor(Math.random() * 30) });

async function modernCall(host, server, nonce, signal) {
  const id = randomUUID();
  const response = await fetch(url(host, server), { method: 'POST', signal,
    headers: { ...host.headers, 'content-type': 'application/json',
      accept: 'application/json, text/event-stream', 'mcp-method': 'tools/call',
      'mcp-protocol-version': MODERN, 'mcp-name': 'test_echo' },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: {
      name: 'test_echo', arguments: echo(nonce), _meta: {
        [`${META}protocolVersion`]: MODERN, [`${META}clientCapabilities`]: {} } } }) });
  const { status } = response;
  const text = await response.text();
  const json = text.startsWith('{') ? JSON.parse(text) : {};
  if (json.id !== undefined && json.id !== null && json.id !== id)
    throw new SyntaxError(`an answer for ${json.id}, the request was ${id}`);
  return { status, text, ...json };
}

// Modern clients keep nothing between their calls.
export async function modernClient({ host, servers, tally, running }) {
  while (running()) {
    const server = pick(servers);
    const nonce = randomUUID();
    await tally.take(`modern, ${server}`, async (signal) =>
      tally.judge(`modern, ${server}`, nonce,
        await modernCall(host, server, nonce, signal)));
  }
}

// A session of some calls; then its end, or none at all. A session that was
// not ended must never be unknown.
export async function legacyClient({ host, servers, tally, running }) {
  while (running()) {
    const server = pick(servers);
    const what = `legacy, ${server}`;
    let session;
    await tally.take(`${what}, initialize`, async () => {
      session = await Session.open(url(host, server), host.headers)
        .catch((error) => {
          if (/^initialize/.test(error.message)) return undefined;
          throw error;
        });
      return session === undefined ? 'refused' : 'answered';
    });
    for (let i = 0; i < 20 && session !== undefined && running(); i++) {
      const nonce = randomUUID();
      await tally.take(what, async (signal) => {
        const answer = await session.call('test_echo', echo(nonce), { signal });
        if (answer.status === 404) tally.fault(`${what}: a live session is unknown`);
        return tally.judge(what, nonce, answer);
      });
    }
    if (session !== undefined && Math.random() < 0.5) {
      await tally.take(`${what}, DELETE`, async () => {
        const status = await session.end();
        return status < 300 ? 'answered' : 'refused';
      });
    }
  }
}

// Opens streams and lets go of them, in the middle of a call as well.
export async function streamClient({ host, servers, tally, running }) {
  while (running()) {
    const server = pick(servers);
    const cut = new AbortController();
    try {
      const session = await Session.open(url(host, server), host.headers);
      const { events } = await session.stream({ signal: cut.signal });
      const listening = (async () => {
        for await (const event of events ?? []) {
          const method = messageIn(event)?.method;
          if (method !== undefined && !method.startsWith('notifications/'))
            tally.fault(`stream, ${server}: ${method} of another`);
        }
      })().catch(() => {});
      const calling = session.request('tools/call', { name: 'test_tool_with_progress',
        arguments: {}, _meta: { progressToken: randomUUID() } },
      { signal: cut.signal }).catch(() => {});
      await sleep(Math.random() * 200);
      cut.abort();
      await Promise.all([listening, calling]);
    } catch {
      tally.closed++;
      await sleep(20);
    }
  }
}
