// SPDX-License-Identifier: Apache-2.0

import { TraceMap, originalPositionFor } from '@jridgewell/trace-mapping';

/** `(line, column)`, from 1, to `{source, line, column}` or undefined. */
export function newTracer(text) {
  const map = new TraceMap(text);
  return (line, column) => {
    const found = originalPositionFor(map, { line, column: column - 1 });
    return found.source === null ? undefined :
      { source: found.source, line: found.line, column: found.column + 1 };
  };
}
