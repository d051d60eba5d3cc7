// SPDX-License-Identifier: Apache-2.0
// URI templates of RFC 6570, level 1: text and {variables}. Matching takes
// one pass: a variable ends where the text behind it begins, and the last text
// must be the URI's end.

import {
  regexpExec, stringIndexOf, stringSlice, stringStartsWith,
} from '../primordials.js';

const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})*$/;
/** What is never within a variable: it ends a segment. */
const OUTSIDE = /[/?#]/;
const decode = decodeURIComponent;

/** `{texts, names}`: a text before each variable, and the last one. */
export function parseTemplate(text) {
  const texts = [];
  const names = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf('{', at);
    const piece = text.slice(at, start < 0 ? undefined : start);
    if (piece.includes('}'))
      throw new TypeError('a "}" has no "{"');
    if (names.length > 0 && start >= 0 && piece === '')
      throw new TypeError('between two variables there must be text');
    texts.push(piece);
    if (start < 0)
      return { __proto__: null, texts, names };
    const end = text.indexOf('}', start);
    const name = text.slice(start + 1, end < 0 ? undefined : end);
    if (end < 0 || !NAME.test(name)) {
      throw new TypeError(`"{${name}}" is not level 1 of RFC 6570: a ` +
          'variable is {name}, without an operator or a modifier');
    }
    if (names.includes(name))
      throw new TypeError(`the variable {${name}} is there twice`);
    names.push(name);
    at = end + 1;
  }
}

function valueOf(raw) {
  if (raw === '' || regexpExec(OUTSIDE, raw) !== null)
    return undefined;
  try {
    return decode(raw);
  } catch {
    return undefined;
  }
}

/** The variables of a URI that the template could have made, or undefined. */
export function matchTemplate({ texts, names }, uri) {
  const variables = { __proto__: null };
  const last = names.length;
  if (!stringStartsWith(uri, texts[0]))
    return undefined;
  let at = texts[0].length;
  for (let i = 0; i < last; i++) {
    const next = texts[i + 1];
    const end = i + 1 === last ? uri.length - next.length :
      stringIndexOf(uri, next, at);
    if (end < at || stringSlice(uri, end, end + next.length) !== next)
      return undefined;
    const value = valueOf(stringSlice(uri, at, end));
    if (value === undefined)
      return undefined;
    variables[names[i]] = value;
    at = end + next.length;
  }
  return at === uri.length ? variables : undefined;
}
