// SPDX-License-Identifier: Apache-2.0
// What the glue calls (README.md). Nothing in here throws, but what describe()
// and pickEntry() say about a bundle.

import { AsyncLocalStorage, AsyncResource, executionAsyncId, triggerAsyncId }
  from '../node/async_hooks.js';
import { native } from '../native.js';
import { jsonParse } from '../primordials.js';
import { resetConsole } from '../web/console.js';
import { fetchData, fetchEnd, fetchFail, fetchHead, fetchMore, fetchRoom,
  isUsed, resetFetches } from '../web/exchange.js';
import { resetPerformance } from '../web/performance.js';
import { reportError, reportRejection } from '../web/report.js';
import { resetTimers, tick } from '../web/timers.js';
import { answer, resetAsks } from './asks.js';
import { answerError, endCalls, newCall } from './call.js';
import { explain } from './explain.js';
import { pickEntry } from './pick.js';
import { callFetch } from './serve.js';
import { setSources } from './sources.js';
import { describe } from './surface.js';
import { callDeclared } from './tools.js';
import { warm } from './warm.js';

const REQUEST = 1;

function begin() {
  endCalls();
  resetAsks();
  resetTimers();
  if (isUsed)
    resetFetches();
  resetConsole();
  resetPerformance();
  native.setContinuation(undefined);
}

function run(call, kind, json, body) {
  try {
    if (kind === REQUEST)
      callFetch(call, jsonParse(json), body);
    else
      callDeclared(call, jsonParse(json));
  } catch (error) {
    answerError(call, error);
  }
}

function start(kind, json, body) {
  run(newCall(native), kind, json, body);
}

/** A tool can break what timers are made of; the glue must not notice. */
function safeTick() {
  try {
    return tick();
  } catch (error) {
    reportError(error);
    resetTimers();
    return -1;
  }
}

function unhandled(reason) {
  try {
    reportRejection(reason);
  } catch {
    native.log(3, 'Uncaught (in promise)');
  }
}

const asyncHooks = { AsyncLocalStorage, AsyncResource, executionAsyncId,
  triggerAsyncId };

export const entry = {
  __proto__: null,
  warm: () => warm(begin, run),
  pickEntry, describe, begin, call: start, answer, tick: safeTick,
  fetchHead, fetchData, fetchEnd, fetchFail, fetchRoom, fetchMore,
  explain, setSources, unhandled,
  builtins: {
    __proto__: null,
    'node:async_hooks': asyncHooks,
    'async_hooks': asyncHooks,
  },
};
