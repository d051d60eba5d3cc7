// SPDX-License-Identifier: Apache-2.0
// DOM events, without a tree: a target is all there is to a path.

import { native } from '../native.js';
import { DOMException } from './domexception.js';
import { reportError } from './report.js';

let setTarget, setPhase, isStopped, isDispatching, setDispatching, clearStop;
let setPassive, setTrusted, getHandler, setHandler;

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #target = null;
  #phase = 0;
  #stopPropagation = false;
  #stopImmediate = false;
  #prevented = false;
  #passive = false;
  #dispatching = false;
  #trusted = false;
  #timeStamp = native.now();

  static {
    setTarget = (event, target) => { event.#target = target; };
    setPhase = (event, phase) => { event.#phase = phase; };
    isStopped = (event) => event.#stopImmediate;
    isDispatching = (event) => event.#dispatching;
    setDispatching = (event, on) => { event.#dispatching = on; };
    clearStop = (event) => {
      event.#stopPropagation = event.#stopImmediate = false;
    };
    setPassive = (event, on) => { event.#passive = on; };
    setTrusted = (event) => { event.#trusted = true; };
  }

  constructor(type, init = undefined) {
    if (arguments.length === 0)
      throw new TypeError('Event: the type is missing');
    this.#type = `${type}`;
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
  }

  get type() { return this.#type; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#phase === 0 ? null : this.#target; }
  get eventPhase() { return this.#phase; }
  get defaultPrevented() { return this.#prevented; }
  get returnValue() { return !this.#prevented; }
  get isTrusted() { return this.#trusted; }
  get timeStamp() { return this.#timeStamp; }
  get cancelBubble() { return this.#stopPropagation; }
  set cancelBubble(value) {
    if (value)
      this.#stopPropagation = true;
  }

  composedPath() {
    return this.#phase === 0 ? [] : [this.#target];
  }

  preventDefault() {
    if (this.#cancelable && !this.#passive)
      this.#prevented = true;
  }

  stopPropagation() {
    this.#stopPropagation = true;
  }

  stopImmediatePropagation() {
    this.#stopPropagation = this.#stopImmediate = true;
  }
}

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };
for (const [name, value] of Object.entries(PHASES)) {
  for (const owner of [Event, Event.prototype])
    Object.defineProperty(owner, name, { value, enumerable: true });
}

export class CustomEvent extends Event {
  #detail;

  constructor(type, init = undefined) {
    super(...arguments.length === 0 ? [] : [type, init]);
    this.#detail = init?.detail ?? null;
  }

  get detail() { return this.#detail; }
}

export class MessageEvent extends Event {
  #init;

  constructor(type, init = undefined) {
    super(type, init);
    this.#init = { ...init };
  }

  get data() { return this.#init.data ?? null; }
  get origin() { return this.#init.origin ?? ''; }
  get lastEventId() { return this.#init.lastEventId ?? ''; }
  get source() { return this.#init.source ?? null; }
  get ports() { return this.#init.ports ?? []; }
}

export class ErrorEvent extends Event {
  #init;

  constructor(type, init = undefined) {
    super(type, init);
    this.#init = { ...init };
  }

  get message() { return this.#init.message ?? ''; }
  get filename() { return this.#init.filename ?? ''; }
  get lineno() { return this.#init.lineno ?? 0; }
  get colno() { return this.#init.colno ?? 0; }
  get error() { return this.#init.error; }
}

export class EventTarget {
  #listeners = null; // Map of type to records
  #handlers = null; // Map of type to the record behind `on…`

  addEventListener(type, callback, options = undefined) {
    if (callback === null || callback === undefined)
      return;
    if (typeof callback !== 'function' && typeof callback !== 'object')
      throw new TypeError(`addEventListener: the ${type} listener is neither ` +
          'a function nor an object');
    const given = typeof options === 'object' && options !== null;
    const signal = given ? options.signal : undefined;
    if (signal?.aborted)
      return;
    this.#add(`${type}`, {
      callback,
      capture: Boolean(given ? options.capture : options),
      once: Boolean(given && options.once),
      passive: Boolean(given && options.passive),
      removed: false,
    }, signal);
  }

  #add(type, record, signal) {
    this.#listeners ??= new Map();
    const records = this.#listeners.get(type);
    if (records === undefined) {
      this.#listeners.set(type, [record]);
    } else {
      for (const { callback, capture } of records) {
        if (callback === record.callback && capture === record.capture)
          return;
      }
      records.push(record);
    }
    signal?.addEventListener('abort', () => this.#remove(type, record),
        { once: true });
  }

  #remove(type, record) {
    record.removed = true;
    const records = this.#listeners?.get(type);
    const index = records?.indexOf(record) ?? -1;
    if (index >= 0)
      records.splice(index, 1);
  }

  removeEventListener(type, callback, options = undefined) {
    const capture = Boolean(typeof options === 'object' && options !== null ?
      options.capture : options);
    const records = this.#listeners?.get(`${type}`);
    const record = records?.find((one) =>
      one.callback === callback && one.capture === capture);
    if (record !== undefined)
      this.#remove(`${type}`, record);
  }

  dispatchEvent(event) {
    if (!(event instanceof Event))
      throw new TypeError('dispatchEvent: the argument is not an Event');
    if (isDispatching(event)) {
      throw new DOMException('dispatchEvent: the event is being dispatched',
          'InvalidStateError');
    }
    setTarget(event, this);
    const records = this.#listeners?.get(event.type);
    if (records !== undefined && records.length !== 0)
      this.#invoke(event, [...records]);
    return !event.defaultPrevented;
  }

  #invoke(event, records) {
    setDispatching(event, true);
    setPhase(event, Event.AT_TARGET);
    for (const record of records) {
      if (isStopped(event))
        break;
      if (!record.removed)
        this.#run(event, record);
    }
    setPhase(event, Event.NONE);
    setDispatching(event, false);
    clearStop(event);
  }

  #run(event, record) {
    if (record.once)
      this.#remove(event.type, record);
    setPassive(event, record.passive);
    try {
      const { callback } = record;
      if (typeof callback === 'function')
        Reflect.apply(callback, this, [event]);
      else
        callback.handleEvent(event);
    } catch (error) {
      reportError(error);
    }
    setPassive(event, false);
  }

  static {
    getHandler = (target, type) =>
      target.#handlers?.get(type)?.handler ?? null;
    setHandler = (target, type, handler) => {
      target.#handlers ??= new Map();
      const old = target.#handlers.get(type);
      const usable = typeof handler === 'function' ? handler : null;
      if (old !== undefined) {
        old.handler = usable;
        return;
      }
      const record = { handler: usable };
      target.#handlers.set(type, record);
      target.addEventListener(type,
          (event) => record.handler?.call(target, event));
    };
  }
}

/** Defines the attribute `on…` of an interface. */
export function defineHandler(Class, type) {
  Object.defineProperty(Class.prototype, `on${type}`, {
    get() { return getHandler(this, type); },
    set(handler) { setHandler(this, type, handler); },
    enumerable: true,
    configurable: true,
  });
}

/** Dispatches an event that the platform itself made. */
export function fire(target, event) {
  setTrusted(event);
  return target.dispatchEvent(event);
}
