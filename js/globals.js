// SPDX-License-Identifier: Apache-2.0
// The list of what a tool finds in its global scope.

import { defineGlobals, defineInterfaces, defineLazy } from './define.js';
import { AbortController, AbortSignal } from './web/abort.js';
import { atob, btoa } from './web/base64.js';
import { Blob, File } from './web/blob.js';
import { console } from './web/console.js';
import { structuredClone } from './web/clone.js';
import { Crypto } from './web/crypto.js';
import { DOMException } from './web/domexception.js';
import { CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent }
  from './web/event.js';
import { fetch } from './web/fetch.js';
import { FormData } from './web/formdata.js';
import { Headers } from './web/headers.js';
import { Performance } from './web/performance.js';
import { random } from './web/random.js';
import { reportError } from './web/report.js';
import { Request } from './web/request.js';
import { Response } from './web/response.js';
import { URLSearchParams } from './web/searchparams.js';
import { streams } from './web/streams.js';
import { TextDecoder, TextEncoder } from './web/text.js';
import { clearTimeout, queueMicrotask, setImmediate, setInterval, setTimeout }
  from './web/timers.js';
import { URL } from './web/url.js';

class Navigator {
  get userAgent() { return 'cordon'; }
  get language() { return 'en'; }
  get hardwareConcurrency() { return 1; }
}

const INTERFACES = {
  AbortController, AbortSignal, Blob, Crypto, CustomEvent, DOMException,
  ErrorEvent, Event, EventTarget, File, FormData, Headers, MessageEvent,
  Navigator, Performance, Request, Response, TextDecoder, TextEncoder, URL,
  URLSearchParams,
};

const FUNCTIONS = {
  atob, btoa, clearInterval: (id) => clearTimeout(id),
  clearImmediate: (id) => clearTimeout(id), clearTimeout, fetch,
  queueMicrotask, reportError, setImmediate, setInterval, setTimeout,
  structuredClone,
};

const STREAMS = [
  'ByteLengthQueuingStrategy', 'CountQueuingStrategy',
  'ReadableByteStreamController', 'ReadableStream',
  'ReadableStreamBYOBReader', 'ReadableStreamBYOBRequest',
  'ReadableStreamDefaultController', 'ReadableStreamDefaultReader',
  'TextDecoderStream', 'TextEncoderStream', 'TransformStream',
  'TransformStreamDefaultController', 'WritableStream',
  'WritableStreamDefaultController', 'WritableStreamDefaultWriter',
];

export function installGlobals() {
  defineGlobals(defineInterfaces(INTERFACES));
  defineGlobals(FUNCTIONS);
  defineGlobals({ console, crypto: new Crypto(), navigator: new Navigator(),
    performance: new Performance(), self: globalThis });
  defineLazy(STREAMS, streams);
  defineLazy(['CompressionStream', 'DecompressionStream'],
      () => require('./web/compression.js'));
  defineLazy(['MessageChannel', 'MessagePort'],
      () => require('./web/messaging.js'));
  defineLazy(['URLPattern'], () => require('urlpattern-polyfill/urlpattern'));
  defineLazy(['CryptoKey', 'SubtleCrypto'],
      () => require('./subtle/subtle.js'));
  Object.defineProperty(Math, 'random', {
    value: random, writable: true, enumerable: false, configurable: true,
  });
}
