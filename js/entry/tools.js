// SPDX-License-Identifier: Apache-2.0
// Calls of what was declared: tools, prompts, resources, completions.

import { NativeError, apply, objectKeys } from '../primordials.js';
import { answerError, answerValue, whenSettled } from './call.js';
import { Context } from './context.js';
import {
  answerChecked, asCompletion, asPrompt, asResource, listOf, quote,
  refuseInput,
} from './shape.js';
import { surface } from './surface.js';
import { matchTemplate } from './template.js';

function unknown(kind, name, table) {
  return new NativeError(`there is no ${kind} ${quote(name)}; ${
    listOf(table)}`);
}

/** Runs a handler; a value that it returns is answered before return. */
function run(call, { fn, self }, args, onValue) {
  whenSettled(call, apply(fn, self, args), onValue);
}

function runTool(call, tool, name, input, about) {
  const { input: check, output } = tool;
  const fault = check === undefined ? undefined :
    check(input === undefined ? {} : input);
  if (fault !== undefined) {
    refuseInput(call, name, fault);
    return;
  }
  run(call, tool, [input, new Context(call, about)],
      output === undefined ? answerValue :
        (call, value) => answerChecked(call, value, output));
}

function only(table) {
  const names = objectKeys(table);
  return names.length === 1 ? names[0] : undefined;
}

function callTool(call, { tool: named, input, ctx }) {
  const name = named ?? only(surface.tools);
  const tool = typeof name === 'string' ? surface.tools[name] : undefined;
  if (tool === undefined)
    throw unknown('tool', name, surface.tools);
  runTool(call, tool, name, input, ctx);
}

function callPrompt(call, { prompt: name, input, ctx }) {
  const prompt = typeof name === 'string' ? surface.prompts[name] : undefined;
  if (prompt === undefined)
    throw unknown('prompt', name, surface.prompts);
  run(call, prompt, [input ?? {}, new Context(call, ctx)],
      (call, value) => answerValue(call, asPrompt(value)));
}

function callResource(call, { resource: uri, ctx }) {
  const answer = (mimeType) => (call, value) =>
    answerValue(call, asResource(value, uri, mimeType));
  const exact = typeof uri === 'string' ? surface.resources[uri] : undefined;
  if (exact !== undefined) {
    run(call, exact, [uri, new Context(call, ctx)], answer(exact.mimeType));
    return;
  }
  const names = typeof uri === 'string' ?
    objectKeys(surface.resourceTemplates) : [];
  for (let i = 0; i < names.length; i++) {
    const found = surface.resourceTemplates[names[i]];
    const variables = matchTemplate(found.template, uri);
    if (variables !== undefined) {
      run(call, found, [uri, variables, new Context(call, ctx)],
          answer(found.mimeType));
      return;
    }
  }
  throw unknown('resource', uri, surface.resources);
}

/** By the type of a reference: where it looks, and for what. */
const REFERENCES = {
  __proto__: null,
  'ref/prompt': ['prompts', 'name', 'prompt'],
  'ref/resource': ['resourceTemplates', 'uri', 'resource template'],
};

function callComplete(call, { complete: { ref, argument, context }, ctx }) {
  const kind = REFERENCES[ref?.type];
  if (kind === undefined)
    throw new NativeError(`there is no reference ${quote(ref?.type)}`);
  const table = surface[kind[0]];
  const name = ref[kind[1]];
  const found = typeof name === 'string' ? table[name] : undefined;
  if (found === undefined)
    throw unknown(kind[2], name, table);
  const fn = found.complete?.[argument?.name];
  if (fn === undefined) {
    answerValue(call, asCompletion(undefined));
    return;
  }
  run(call, { __proto__: null, fn, self: found.self.complete },
      [argument.value, context?.arguments ?? {}, new Context(call, ctx)],
      (call, value) => answerValue(call, asCompletion(value)));
}

/** Starts a call. */
export function callDeclared(call, request) {
  try {
    if (request.prompt !== undefined)
      callPrompt(call, request);
    else if (request.resource !== undefined)
      callResource(call, request);
    else if (request.complete !== undefined)
      callComplete(call, request);
    else
      callTool(call, request);
  } catch (error) {
    answerError(call, error);
  }
}
