// SPDX-License-Identifier: Apache-2.0
// Timers, kept in the order they are due. Nothing runs by itself: the glue
// calls tick() and sleeps in between.

import { native } from '../native.js';
import { apply, max } from '../primordials.js';
import { reportError } from './report.js';

const DELAY_MAX = 0x7fffffff;

let queue = []; // sorted by due, then by order of arrival
let byId = new Map();
let lastId = 0;

function insert(timer) {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (queue[middle].due <= timer.due)
      low = middle + 1;
    else
      high = middle;
  }
  queue.splice(low, 0, timer);
}

function start(callback, delay, args, repeat) {
  if (typeof callback !== 'function') {
    throw new TypeError('a timer needs a function (text is not compiled: ' +
        'code generation is off)');
  }
  const wait = +delay;
  const period = wait >= 1 && wait <= DELAY_MAX ? Math.trunc(wait) :
    repeat ? 1 : 0;
  const timer = {
    id: ++lastId, due: native.now() + period, callback, args,
    period: repeat ? period : -1, context: native.getContinuation(),
  };
  byId.set(timer.id, timer);
  insert(timer);
  return timer.id;
}

export function setTimeout(callback, delay = 0, ...args) {
  return start(callback, delay, args, false);
}

export function setInterval(callback, delay = 0, ...args) {
  return start(callback, delay, args, true);
}

export function setImmediate(callback, ...args) {
  return start(callback, 0, args, false);
}

export function clearTimeout(id) {
  const timer = byId.get(+id);
  if (timer === undefined)
    return;
  byId.delete(timer.id);
  const index = queue.indexOf(timer);
  if (index >= 0)
    queue.splice(index, 1);
}

function run(timer) {
  if (timer.period < 0) {
    byId.delete(timer.id);
  } else {
    timer.due = native.now() + timer.period;
    insert(timer);
  }
  const before = native.getContinuation();
  native.setContinuation(timer.context);
  try {
    apply(timer.callback, globalThis, timer.args);
  } catch (error) {
    reportError(error);
  } finally {
    native.setContinuation(before);
  }
}

/** Milliseconds until the next timer, 0 if it is due, -1 without one. */
function wait() {
  return queue.length === 0 ? -1 : max(0, queue[0].due - native.now());
}

/** Runs at most one due timer; returns wait() as it was before. */
export function tick() {
  const left = wait();
  if (left === 0)
    run(queue.shift());
  return left; // after a run too: what it did may have set off something
}

/** Forgets every timer: a call begins. */
export function resetTimers() {
  if (queue.length === 0)
    return;
  queue = [];
  byId = new Map();
}

export function queueMicrotask(callback) {
  if (typeof callback !== 'function')
    throw new TypeError('queueMicrotask: the argument is not a function');
  Promise.resolve().then(() => {
    try {
      callback();
    } catch (error) {
      reportError(error);
    }
  });
}
