// SPDX-License-Identifier: Apache-2.0
// `ctx`: what a handler gets besides its input. Made for every call, so it
// does nothing before it is asked.

import { native } from '../native.js';
import {
  NativeError, NativePromise, NativeTypeError, isFinite, jsonStringify,
} from '../primordials.js';
import { AbortController } from '../web/abort.js';
import { format } from '../web/inspect.js';
import { ask } from './asks.js';
import { isOpen, waitUntil } from './call.js';
import { surface } from './surface.js';

/** Levels as people write them: the console's number, and MCP's name. */
const LEVELS = {
  __proto__: null,
  debug: [0, 'debug'], log: [1, 'info'], info: [1, 'info'],
  notice: [1, 'notice'], warn: [2, 'warning'], warning: [2, 'warning'],
  error: [3, 'error'], critical: [3, 'critical'], alert: [3, 'alert'],
  emergency: [3, 'emergency'],
};

const LISTS = {
  __proto__: null,
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
};

const NONE = Object.freeze({ __proto__: null });

function note(call, method, params) {
  if (isOpen(call))
    native.note(jsonStringify({ __proto__: null, method, params }));
}

/** What of the client's capabilities a request needs, if it is not there. */
const NEEDS = {
  __proto__: null,
  elicit(can, params) {
    const { elicitation } = can;
    if (elicitation === undefined)
      return 'elicitation';
    if (params.mode === 'url')
      return elicitation.url === undefined ? 'elicitation.url' : undefined;
    // {} is how clients said "forms" before there was anything else.
    return elicitation.form === undefined && elicitation.url !== undefined ?
      'elicitation.form' : undefined;
  },
  sample(can, params) {
    if (can.sampling === undefined)
      return 'sampling';
    return params.tools !== undefined && can.sampling.tools === undefined ?
      'sampling.tools' : undefined;
  },
  listRoots: (can) => can.roots === undefined ? 'roots' : undefined,
};

function askFor(call, what, method, params, can) {
  if (typeof params !== 'object' || params === null) {
    return NativePromise.reject(
        new NativeTypeError(`ctx.${what}() needs an object`));
  }
  const missing = NEEDS[what](can, params);
  if (missing !== undefined) {
    return NativePromise.reject(new NativeError(`ctx.${what}(): the client ` +
        `of this call did not declare the capability "${missing}" ` +
        '(ctx.can tells what it declared)'));
  }
  return ask(call, method, params);
}

export class Context {
  #call;
  #about;
  #controller = null;
  env = {};

  constructor(call, about) {
    this.#call = call;
    this.#about = typeof about === 'object' && about !== null ? about : NONE;
  }

  get name() { return surface.name; }
  get meta() { return this.#about.meta ?? NONE; }
  get can() { return this.#about.can ?? NONE; }
  get version() { return this.#about.version; }
  get session() { return this.#about.session; }
  get inputResponses() { return this.#about.inputResponses; }
  get requestState() { return this.#about.requestState; }

  get signal() {
    return (this.#controller ??= new AbortController()).signal;
  }

  log(level, ...args) {
    const known = LEVELS[level];
    native.log(known?.[0] ?? 1, format(known === undefined ?
      [level, ...args] : args));
  }

  notify(level, data = null, logger = undefined) {
    const known = LEVELS[level];
    if (known === undefined) {
      throw new NativeTypeError(`ctx.notify(): there is no level ${
        jsonStringify(level)}; there is: debug, info, notice, warning, ` +
        'error, critical, alert, emergency');
    }
    note(this.#call, 'notifications/message',
        { __proto__: null, level: known[1], logger, data });
  }

  progress(progress, total = undefined, message = undefined) {
    if (!isFinite(progress) || (total !== undefined && !isFinite(total)))
      throw new NativeTypeError('ctx.progress() needs finite numbers');
    if (this.#about.progress === true) {
      note(this.#call, 'notifications/progress', { __proto__: null,
        progress, total, message: message === undefined ? undefined :
          `${message}` });
    }
  }

  resourceUpdated(uri) {
    note(this.#call, 'notifications/resources/updated',
        { __proto__: null, uri: `${uri}` });
  }

  listChanged(list) {
    const method = LISTS[list];
    if (method === undefined) {
      throw new NativeTypeError('ctx.listChanged() takes "tools", "prompts" ' +
          'or "resources"');
    }
    note(this.#call, method, undefined);
  }

  elicit(params) {
    return askFor(this.#call, 'elicit', 'elicitation/create', params, this.can);
  }

  sample(params) {
    return askFor(this.#call, 'sample', 'sampling/createMessage', params,
        this.can);
  }

  listRoots() {
    return askFor(this.#call, 'listRoots', 'roots/list', {}, this.can);
  }

  waitUntil(promise) {
    waitUntil(this.#call, promise);
  }
}
