// SPDX-License-Identifier: Apache-2.0
// Requests to a bundle with fetch(): request in, response out.

import { native } from '../native.js';
import {
  NativeTypeError, apply, jsonStringify, stringToLowerCase,
} from '../primordials.js';
import { bodyTake, isDisturbed, pump } from '../web/body.js';
import { requestFrom } from '../web/request.js';
import { responseParts } from '../web/response.js';
import { answerError, close, isOpen, waitUntil, whenSettled } from './call.js';
import { surface } from './surface.js';

/** The `ctx` of Workers. */
export class ExecutionContext {
  #call;
  props = {};

  constructor(call) {
    this.#call = call;
  }

  waitUntil(promise) {
    waitUntil(this.#call, promise);
  }

  passThroughOnException() {}
}

/** JSON of a head, written by hand: an array could have a toJSON() by now. */
function headText(status, list) {
  let text = '';
  for (let i = 0; i < list.length; i += 2) {
    text += `${i === 0 ? '' : ','}[${jsonStringify(`${list[i]}`)},${
      jsonStringify(`${list[i + 1]}`)}]`;
  }
  return `[${status},[${text}]]`;
}

function finish(call) {
  if (!isOpen(call))
    return;
  call.answered = true;
  call.sink.end();
  close(call);
}

function chunk(call, bytes) {
  if (isOpen(call) && bytes.length !== 0)
    call.sink.chunk(bytes);
}

function answerResponse(call, response) {
  if (!isOpen(call))
    return;
  const parts = responseParts(response);
  if (parts === undefined)
    throw new NativeTypeError('fetch() must return a Response');
  if (isDisturbed(response))
    throw new NativeTypeError('fetch() returned a Response that was read');
  call.sink.head(headText(parts[0], parts[1]));
  const body = bodyTake(response);
  if (body === null) {
    finish(call);
  } else if (body.stream !== undefined) {
    whenSettled(call, pump(body.stream, (bytes) => chunk(call, bytes)),
        finish);
  } else {
    chunk(call, body.bytes ?? native.utf8Encode(body.text));
    finish(call);
  }
}

/** Starts a request; a Response returned at once is answered at once. */
export function callFetch(call, request, body) {
  try {
    const list = [];
    for (let i = 0; i < request.headers.length; i++) {
      list[2 * i] = stringToLowerCase(request.headers[i][0]);
      list[2 * i + 1] = request.headers[i][1];
    }
    // As every URL that a Request shows: parsed, without "..", encoded.
    const url = native.urlParse(request.url)?.[0] ?? request.url;
    const value = apply(surface.fn, surface.self, [
      requestFrom(request.method, url, list, body), {},
      new ExecutionContext(call)]);
    whenSettled(call, value, answerResponse);
  } catch (error) {
    answerError(call, error);
  }
}
