// SPDX-License-Identifier: Apache-2.0
// The glue's functions (README.md). Set once, before any tool code exists;
// nothing in here may hand this object, or one of its functions, to a tool.

export let native;

export function setNative(functions) {
  native = functions;
}
