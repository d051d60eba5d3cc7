// SPDX-License-Identifier: Apache-2.0
// What a handler returned, in the form that MCP wants; and what is said of an
// input or an output that does not fit its schema.

import { native } from '../native.js';
import {
  isArray, jsonParse, jsonStringify, objectKeys, stringSlice,
} from '../primordials.js';
import { answerInvalid, answerText, answerValue, isOpen, jsonOf }
  from './call.js';

const COMPLETIONS_MAX = 100; // as the protocol has it

const isObject = (value) =>
  typeof value === 'object' && value !== null && !isArray(value);

export function asPrompt(value) {
  if (typeof value !== 'string')
    return isArray(value) ? { messages: value } : value;
  return { messages: [{ role: 'user',
    content: { type: 'text', text: value } }] };
}

export function asResource(value, uri, mimeType) {
  if (native.isUint8Array(value))
    return { contents: [{ uri, mimeType, blob: value.toBase64() }] };
  return typeof value === 'string' ?
    { contents: [{ uri, mimeType, text: value }] } : value;
}

/** Values, or the whole completion, or the whole result. */
export function asCompletion(value) {
  if (isObject(value) && value.completion !== undefined)
    return value;
  const given = isArray(value) ? { values: value } : value ?? { values: [] };
  const { values } = given;
  if (!isArray(values) || values.length <= COMPLETIONS_MAX)
    return { completion: given };
  const first = [];
  for (let i = 0; i < COMPLETIONS_MAX; i++)
    first[i] = values[i];
  return { completion: { total: values.length, hasMore: true, ...given,
    values: first } };
}

/** A tool error, which a model can read and mend. */
export function refuseInput(call, name, { pointer, message }) {
  const text = `The input of the tool ${name} is not valid: ${
    pointer === '' ? 'it' : pointer} ${message}.`;
  answerValue(call, { __proto__: null, isError: true,
    content: [{ __proto__: null, type: 'text', text }] });
}

/** What of a result its outputSchema speaks of; undefined: of nothing. */
function structuredOf(result) {
  if (!isObject(result))
    return [result];
  if (result.resultType === 'input_required' || result.isError === true)
    return undefined;
  if (isArray(result.content) || result.structuredContent !== undefined)
    return [result.structuredContent];
  return [result];
}

/**
 * The answer of a tool with an outputSchema: what is checked is what goes out,
 * not what a getter or a toJSON() may say the next time.
 */
export function answerChecked(call, value, check) {
  if (!isOpen(call))
    return;
  const text = jsonOf(call, value);
  if (text === undefined)
    return; // that was the answer
  const spoken = structuredOf(jsonParse(text));
  const fault = spoken === undefined ? undefined : check(spoken[0]);
  if (fault === undefined) {
    answerText(call, text);
    return;
  }
  answerInvalid(call, `the result does not fit the tool's outputSchema: ${
    fault.pointer === '' ? 'it' : fault.pointer} ${fault.message}`);
}

/** The names of a table, for people. */
export function listOf(table) {
  const names = objectKeys(table);
  let list = '';
  for (let i = 0; i < names.length && i < 20; i++)
    list += `${i === 0 ? '' : ', '}${names[i]}`;
  return names.length === 0 ? 'there is none' :
    `there is: ${stringSlice(list, 0, 1000)}`;
}

export const quote = (value) => jsonStringify(value) ?? 'without a name';
