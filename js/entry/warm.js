// SPDX-License-Identifier: Apache-2.0
// The dummy calls that are served before the fork. No handler of a tool runs.

import { native } from '../native.js';
import { NativePromise, jsonParse, jsonStringify } from '../primordials.js';
import { format } from '../web/inspect.js';
import { answerValue, newCall } from './call.js';
import { callFetch } from './serve.js';
import { surface } from './surface.js';
import { callTool } from './tools.js';

const TOOL = 'cordon-warm-up'; // no server has a tool of this name
const REVISION = '2025-11-25';
const INFO = { name: 'cordon', version: '0' };

const MESSAGES = {
  initialize: { jsonrpc: '2.0', id: 0, method: 'initialize', params: {
    protocolVersion: REVISION, capabilities: {}, clientInfo: INFO } },
  initialized: { jsonrpc: '2.0', method: 'notifications/initialized' },
  list: { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} },
  call: { jsonrpc: '2.0', id: 2, method: 'tools/call', params: {
    name: TOOL, arguments: {} } },
};

const PATHS = ['/mcp', '/'];

/** What was learnt by the first warm-up, for the short ones. */
let path = PATHS[0];
let session = null;

/** Serves one message; resolves to `{status, session}`, never rejects. */
function serve(message, url) {
  return new NativePromise((resolve) => {
    const answer = { status: 0, session: null };
    const end = () => resolve(answer);
    const sink = {
      head: (text) => {
        const [status, headers] = jsonParse(text);
        answer.status = status;
        answer.session = headers.find((pair) =>
          pair[0] === 'mcp-session-id')?.[1] ?? null;
      },
      chunk() {}, result() {}, done() {}, end, fail: end,
    };
    const headers = [['host', 'localhost'],
      ['accept', 'application/json, text/event-stream'],
      ['content-type', 'application/json']];
    if (message !== MESSAGES.initialize)
      headers.push(['mcp-protocol-version', REVISION]);
    if (session !== null && message !== MESSAGES.initialize)
      headers.push(['mcp-session-id', session]);
    callFetch(newCall(sink), { method: 'POST', url: `http://localhost${url}`,
      headers }, native.utf8Encode(jsonStringify(message)));
  });
}

const isGood = (answer) => answer.status >= 200 && answer.status < 300;

/** Finds the path that answers. */
async function initialize() {
  let first;
  for (const candidate of PATHS) {
    const answer = await serve(MESSAGES.initialize, candidate);
    first ??= answer;
    if (isGood(answer)) {
      path = candidate;
      session = answer.session;
      return answer;
    }
    if (answer.status !== 404)
      break;
  }
  return first;
}

/**
 * Resolves to whether the bundle may be kept as it is now: false if a second
 * `initialize` is refused where the first was served, that is, if the warm-up
 * used up what the first caller needs.
 */
async function warmFetch() {
  const first = await initialize();
  if (!isGood(first))
    return true;
  for (const message of [MESSAGES.initialized, MESSAGES.list, MESSAGES.call])
    await serve(message, path);
  return isGood(await serve(MESSAGES.initialize, path));
}

function warmTools() {
  const sink = { result() {}, fail() {}, done() {} };
  callTool(newCall(sink), jsonParse(jsonStringify({ tool: TOOL, input: {} })));
  answerValue(newCall(sink), { content: [{ type: 'text', text: '' }] });
  format(['%s', '', { warm: true }]);
}

/** Serves the dummies; `short`: only the call, as a cell does on its start. */
export function warm(short = false) {
  try {
    if (surface === null)
      return undefined;
    if (surface.kind === 'tools')
      return warmTools();
    return (short ? serve(MESSAGES.call, path) : warmFetch())
      .then((kept) => kept !== false, () => true);
  } catch {
    return undefined;
  }
}
