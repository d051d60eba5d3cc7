// SPDX-License-Identifier: Apache-2.0
// The dummy calls that are served before the fork. No handler of a tool runs.

import { native } from '../native.js';
import { NativePromise, jsonParse, jsonStringify } from '../primordials.js';
import { isGranted } from '../web/exchange.js';
import { warmFetches } from '../web/fetch.js';
import { format } from '../web/inspect.js';
import { newCall } from './call.js';
import { callFetch } from './serve.js';
import { samples, surface } from './surface.js';

const TOOL = 'cordon-warm-up'; // no server has a tool of this name
const OWN = 'cordon:warm-up'; // and none can declare one of this
const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';
const INFO = { name: 'cordon', version: '0' };
/** Code settles (feedback, regular expressions) after some calls, not one. */
const ROUNDS = 3;
/** Of checking one sample: a schema may be made to take long. */
const STEPS_MAX = 1000;
const PATHS = ['/mcp', '/'];
const NEGOTIATED = /"protocolVersion"\s*:\s*"([\d-]{10})"/;

const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: {
  protocolVersion: LEGACY, capabilities: {}, clientInfo: INFO } };
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: {
  name: TOOL, arguments: {} } };
const modernCall = { ...call, params: { ...call.params, _meta: {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': INFO } } };

const COMMON = [['host', 'localhost'], ['content-type', 'application/json'],
  ['accept', 'application/json, text/event-stream']];
const MODERN_HEADERS = [['mcp-protocol-version', MODERN],
  ['mcp-method', 'tools/call'], ['mcp-name', TOOL]];

/** What the first warm-up learnt of the bundle. */
let path = PATHS[0];
let isWarm = false;
let sessionHeaders = [['mcp-protocol-version', LEGACY]];

/** Serves one message; resolves to `{status, headers, text}`, never rejects. */
function serve(message, url, headers) {
  return new NativePromise((resolve) => {
    const answer = { status: 0, headers: [], text: '' };
    const end = () => resolve(answer);
    const sink = {
      head: (text) => { [answer.status, answer.headers] = jsonParse(text); },
      chunk: (bytes) => { answer.text += native.utf8Decode(bytes, false); },
      result() {}, done() {}, end, fail: end,
    };
    callFetch(newCall(sink), { method: 'POST', url: `http://localhost${url}`,
      headers: [...COMMON, ...headers] },
    native.utf8Encode(jsonStringify(message)));
  });
}

const isGood = (answer) => answer.status >= 200 && answer.status < 300;

/** Finds the path that answers, and what its answer asks of later messages. */
async function open() {
  let first;
  for (const candidate of PATHS) {
    const answer = await serve(initialize, candidate, []);
    first ??= answer;
    if (isGood(answer)) {
      path = candidate;
      sessionHeaders = [['mcp-protocol-version',
        NEGOTIATED.exec(answer.text)?.[1] ?? LEGACY],
      ...answer.headers.filter(([name]) => name === 'mcp-session-id')];
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
  if (!isGood(await open()))
    return true;
  for (const message of [initialized, list, call])
    await serve(message, path, sessionHeaders);
  await serve(modernCall, path, MODERN_HEADERS);
  for (let i = 0; i < ROUNDS; i++) {
    warmFetches();
    await serve(call, path, sessionHeaders);
  }
  return isGood(await serve(initialize, path, []));
}

/** In place of a tool's handler: what comes in goes out. */
const own = { __proto__: null, self: undefined, fn: (input) => input };
const ownAsync = { __proto__: null, self: undefined,
  fn: async (input) => input };

function warmChecks() {
  for (let i = 0; i < samples.length; i++)
    samples[i][0](samples[i][1], STEPS_MAX);
}

const REQUEST = `{"tool":"${OWN}","input":{"text":"","list":[1,2.5,null]},` +
    '"ctx":{"meta":{},"can":{},"version":"2025-11-25"}}';

const mute = { result() {}, fail() {}, done() {} };

/**
 * `begin` and `run` are what a call begins with and runs through. A cell goes
 * all the way, to the glue, which is muted: what it touches now it need not
 * copy when the call is there.
 */
function warmTools(begin, run) {
  const sink = isWarm ? native : mute;
  const callOf = (tool) => {
    surface.tools[OWN] = tool;
    run(newCall(sink), 0, REQUEST);
    delete surface.tools[OWN];
  };
  if (isWarm)
    begin();
  callOf(own);
  warmChecks();
  if (isGranted !== false)
    warmFetches();
  if (isWarm)
    return;
  for (let i = 0; i < ROUNDS; i++) {
    callOf(own);
    callOf(ownAsync);
    run(newCall(sink), 0, REQUEST);
    warmChecks();
    warmFetches();
    format(['%s', '', { warm: true }]);
  }
  isWarm = true;
}

/** Serves the dummies: all of them once, in a cell only the call. */
export function warm(begin, run) {
  try {
    if (surface === null)
      return undefined;
    if (surface.kind === 'tools')
      return warmTools(begin, run);
    if (isWarm && isGranted !== false)
      warmFetches();
    const served = isWarm ? serve(call, path, sessionHeaders) : warmFetch();
    isWarm = true;
    return served.then((kept) => kept !== false, () => true);
  } catch {
    return undefined;
  }
}
