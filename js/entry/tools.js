// SPDX-License-Identifier: Apache-2.0
// Calls of declared tools, prompts and resources.

import { AbortController } from '../web/abort.js';
import { format } from '../web/inspect.js';
import { native } from '../native.js';
import {
  NativeError, apply, isArray, jsonStringify, objectKeys,
} from '../primordials.js';
import { answerError, answerValue, waitUntil, whenSettled } from './call.js';
import { surface } from './surface.js';

const LEVELS = { __proto__: null, debug: 0, log: 1, info: 1, notice: 1,
  warn: 2, warning: 2, error: 3, critical: 3, alert: 3, emergency: 3 };

/** What a handler gets besides its input. */
export class ToolContext {
  #call;
  #controller = null;
  env = {};

  constructor(call) {
    this.#call = call;
  }

  get name() { return surface.name; }

  get signal() {
    return (this.#controller ??= new AbortController()).signal;
  }

  log(level, ...args) {
    const known = LEVELS[level];
    native.log(known ?? 1, format(known === undefined ?
      [level, ...args] : args));
  }

  waitUntil(promise) {
    waitUntil(this.#call, promise);
  }
}

function asPrompt(value) {
  if (typeof value !== 'string')
    return isArray(value) ? { messages: value } : value;
  return { messages: [{ role: 'user',
    content: { type: 'text', text: value } }] };
}

function asResource(value, uri) {
  if (native.isUint8Array(value))
    return { contents: [{ uri, blob: value.toBase64() }] };
  return typeof value === 'string' ? { contents: [{ uri, text: value }] } :
    value;
}

/** By member of the request: its table, how a value becomes the result. */
const KINDS = {
  __proto__: null,
  tool: ['tools', (value) => value],
  prompt: ['prompts', asPrompt],
  resource: ['resources', asResource],
};

function only(table) {
  const names = objectKeys(table);
  return names.length === 1 ? names[0] : undefined;
}

function unknown(kind, name, table) {
  const names = objectKeys(table);
  let list = '';
  for (let i = 0; i < names.length && i < 20; i++)
    list += `${i === 0 ? '' : ', '}${names[i]}`;
  return new NativeError(`there is no ${kind} ${jsonStringify(name) ??
    'without a name'}; there ${names.length === 0 ? 'is none' :
    `is: ${list}`}`);
}

function select(request) {
  const kind = request.prompt !== undefined ? 'prompt' :
    request.resource !== undefined ? 'resource' : 'tool';
  const [plural, shape] = KINDS[kind];
  const table = surface[plural];
  const name = request[kind] ?? only(table);
  const found = typeof name === 'string' ? table[name] : undefined;
  if (found === undefined)
    throw unknown(kind, name, table);
  return { __proto__: null, found, name, kind, shape };
}

/** Runs one handler; a value that it returns is answered before return. */
export function runHandler(call, { found, name, kind, shape }, input) {
  const context = new ToolContext(call);
  const value = apply(found.fn, found.self,
      [kind === 'resource' ? name : input, context]);
  whenSettled(call, value, kind === 'tool' ? answerValue :
    (call, settled) => answerValue(call, shape(settled, name)));
}

/** Starts a call. */
export function callTool(call, request) {
  try {
    runHandler(call, select(request), request.input);
  } catch (error) {
    answerError(call, error);
  }
}
