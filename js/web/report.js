// SPDX-License-Identifier: Apache-2.0
// Errors that nobody caught: a console line, never the end of the call.

import { native } from '../native.js';
import { inspectError } from './inspect.js';

const ERROR = 3;

export function reportError(error) {
  native.log(ERROR, `Uncaught ${inspectError(error)}`);
}

export function reportRejection(reason) {
  native.log(ERROR, `Uncaught (in promise) ${inspectError(reason)}`);
}
