// SPDX-License-Identifier: Apache-2.0
// Source maps of the bundle: inline, or a .map file beside the script. Read
// only when something was thrown.

import {
  regexpExec, stringLastIndexOf, stringSlice, stringStartsWith, uncurryThis,
} from '../primordials.js';
import { native } from '../native.js';

const MAP_BYTES_MAX = 16 << 20;
const MARK = 'sourceMappingURL=';
const INLINE = /^data:application\/json(?:;charset=[^;,]*)?(;base64)?,/;
const URL_END = /^[^\s'"]*/;

const fromBase64 = Uint8Array.fromBase64;
const mapGet = uncurryThis(Map.prototype.get);
const mapSet = uncurryThis(Map.prototype.set);
const decodePercent = decodeURIComponent;

let read = () => undefined;
let tracers = new Map();

/** `source` tells the text of a path of the bundle, or undefined. */
export function setSources(source) {
  read = source;
  tracers = new Map();
}

/** A path beside another one, with "." and ".." resolved. */
function beside(path, relative) {
  const directory = stringSlice(path, 0, stringLastIndexOf(path, '/') + 1);
  const parts = [];
  for (const part of `${directory}${relative}`.split('/')) {
    if (part === '..' && parts.length > 0)
      parts.pop();
    else if (part !== '.' && part !== '..' && part !== '')
      parts.push(part);
  }
  return parts.join('/');
}

function mapText(path) {
  const text = read(path);
  if (typeof text !== 'string')
    return undefined;
  const at = stringLastIndexOf(text, MARK);
  if (at < 0)
    return read(`${path}.map`);
  const rest = stringSlice(text, at + MARK.length);
  const url = stringStartsWith(rest, 'data:') ? rest.trim() :
    regexpExec(URL_END, rest)[0];
  const inline = regexpExec(INLINE, url);
  if (inline === null)
    return read(beside(path, url));
  const data = stringSlice(url, inline[0].length);
  return inline[1] === undefined ? decodePercent(data) :
    native.utf8Decode(fromBase64.call(Uint8Array, data), false);
}

function tracerOf(path) {
  const known = mapGet(tracers, path);
  if (known !== undefined)
    return known;
  let tracer = null;
  try {
    const text = mapText(path);
    if (typeof text === 'string' && text.length <= MAP_BYTES_MAX)
      tracer = require('./tracer.js').newTracer(text);
  } catch {
    // A map that cannot be read maps nothing.
  }
  mapSet(tracers, path, tracer);
  return tracer;
}

/** The frame where its author wrote it; the same frame without a map. */
export function originalPosition(frame) {
  try {
    const found = tracerOf(frame.file)?.(frame.line, frame.column);
    if (found === undefined)
      return frame;
    return { __proto__: null, fn: frame.fn, line: found.line,
      file: beside(frame.file, found.source), column: found.column };
  } catch {
    return frame;
  }
}
