// SPDX-License-Identifier: Apache-2.0
// Finds which form of tool a bundle is, keeps its handlers, and tells what it
// advertises.

import { jsonParse, jsonStringify, stringSlice } from '../primordials.js';
import { compileSchema } from '../schema/compile.js';
import { sampleOf } from './sample.js';
import { parseTemplate } from './template.js';

const NAME = /^[A-Za-z0-9_.\/-]{1,128}$/;

const isObject = (value) => typeof value === 'object' && value !== null;
const isText = (value) => typeof value === 'string';

const CHECKS = {
  text: [isText, 'a string'],
  object: [(value) => isObject(value) && !Array.isArray(value), 'an object'],
  list: [Array.isArray, 'an array'],
  schema: [(value) => isObject(value) && value.type === 'object' &&
      !('~standard' in value), 'a JSON Schema object with type: "object" ' +
      '(a zod or other schema must be converted: z.toJSONSchema(schema))'],
};

const COMMON = { title: 'text', description: 'text', icons: 'list',
  _meta: 'object' };

/** What may be declared: members, the handler's name, how it is keyed. */
const KINDS = {
  tools: { one: 'tool', key: 'name', handler: 'run', members: { ...COMMON,
    inputSchema: 'schema', outputSchema: 'object', annotations: 'object' } },
  prompts: { one: 'prompt', key: 'name', handler: 'get', members: { ...COMMON,
    arguments: 'list' } },
  resources: { one: 'resource', key: 'uri', handler: 'read', members: {
    ...COMMON, name: 'text', mimeType: 'text', annotations: 'object' } },
  resourceTemplates: { one: 'resource template', key: 'uriTemplate',
    handler: 'read', members: { ...COMMON, name: 'text', mimeType: 'text',
      annotations: 'object' } },
};
const PLURALS = Object.keys(KINDS);

/**
 * `{kind, name, tools, prompts, resources, resourceTemplates}`, tables by name
 * or URI of `{fn, self, …}`; or `{kind, self, fn}`.
 */
export let surface = null;

function member(owner, name, check, where) {
  const value = owner[name];
  if (value === undefined)
    return undefined;
  const [holds, what] = CHECKS[check];
  if (!holds(value))
    throw new TypeError(`${where}: "${name}" must be ${what}`);
  return jsonStringify(value);
}

const object = (pairs) => `{${pairs.filter(([, json]) => json !== undefined)
  .map(([name, json]) => `${jsonStringify(name)}:${json}`).join(',')}}`;

/** Entries of a declared table: an object by name, or an array. */
function entriesOf(declared, kind, key) {
  if (declared === undefined)
    return [];
  if (Array.isArray(declared))
    return declared.map((one) => [one?.[key], one]);
  if (!isObject(declared))
    throw new TypeError(`"${kind}" must be an object or an array`);
  return Object.entries(declared);
}

/** Checks and values to warm them with, of the first schemas. */
export const samples = [];
const SAMPLES_MAX = 8;

/** A schema's check; undefined where there is nothing to check. */
function checkOf(json, name, where) {
  if (json === undefined || json === '{"type":"object"}')
    return undefined;
  try {
    const schema = jsonParse(json);
    const check = compileSchema(schema);
    if (samples.length < SAMPLES_MAX)
      samples.push([check, sampleOf(schema)]);
    return check;
  } catch (error) {
    throw new TypeError(`${where}: "${name}": ${error.message}`);
  }
}

/** Handlers of completion, by argument or variable. */
function completersOf(one, names, where) {
  if (one.complete === undefined)
    return undefined;
  if (!isObject(one.complete))
    throw new TypeError(`${where}: "complete" must be an object of functions`);
  const completers = { __proto__: null };
  for (const [name, fn] of Object.entries(one.complete)) {
    if (typeof fn !== 'function' || !names.includes(name)) {
      throw new TypeError(`${where}: "complete": ${jsonStringify(name)} ${
        typeof fn === 'function' ? 'is none of its arguments' :
          'must be a function'}`);
    }
    completers[name] = fn;
  }
  return completers;
}

/** What a call needs of a declaration, besides its handler. */
const PREPARE = {
  tools: (one, name, pairs, where) => ({
    input: checkOf(pairs.inputSchema, 'inputSchema', where),
    output: checkOf(pairs.outputSchema, 'outputSchema', where),
  }),
  prompts: (one, name, pairs, where) => ({
    complete: completersOf(one,
        (one.arguments ?? []).map((argument) => argument?.name), where),
  }),
  resources: (one) => ({ mimeType: one.mimeType }),
  resourceTemplates(one, name, pairs, where) {
    let template;
    try {
      template = parseTemplate(name);
    } catch (error) {
      throw new TypeError(`${where}: ${error.message}`);
    }
    return { template, mimeType: one.mimeType,
      complete: completersOf(one, template.names, where) };
  },
};

function declareOne(kind, name, one, table) {
  const { key, handler, members } = KINDS[kind];
  const label = `${KINDS[kind].one} ${jsonStringify(`${name}`)}`;
  if (!isText(name) || name === '' || (key === 'name' && !NAME.test(name))) {
    throw new TypeError(`${label}: the ${key} must be ${key === 'name' ?
      '1 to 128 of the characters A-Z a-z 0-9 _ . / -' : 'a URI'}`);
  }
  if (!isObject(one))
    throw new TypeError(`${label}: must be an object`);
  const fn = one[handler];
  if (typeof fn !== 'function')
    throw new TypeError(`${label}: "${handler}" must be a function`);
  if (table[name] !== undefined)
    throw new TypeError(`${label} is declared twice`);
  const pairs = { __proto__: null, [key]: jsonStringify(name) };
  for (const [name, check] of Object.entries(members))
    pairs[name] = member(one, name, check, label);
  table[name] = { __proto__: null, fn, self: one,
    ...PREPARE[kind](one, name, pairs, label) };
  complete(kind, name, pairs);
  return object(Object.entries(pairs));
}

/** What MCP requires and a short declaration leaves out. */
function complete(kind, name, pairs) {
  if (kind === 'tools') {
    pairs.description ??= '""';
    pairs.inputSchema ??= '{"type":"object"}';
  } else if (kind !== 'prompts') {
    pairs.name ??= jsonStringify(name);
  }
}

function declareAll(kind, declared) {
  const table = { __proto__: null };
  const texts = entriesOf(declared, kind, KINDS[kind].key)
    .map(([name, one]) => declareOne(kind, name, one, table));
  return [table, `[${texts.join(',')}]`];
}

const completes = (table) =>
  Object.values(table).some((one) => one.complete !== undefined);

function describeDeclared(declared, stem) {
  const text = (name) => member(declared, name, 'text', 'the server');
  const name = text('name') ?? jsonStringify(stem);
  const pairs = [['kind', '"tools"'], ['name', name],
    ['version', text('version') ?? '"0.0.0"'], ['title', text('title')],
    ['instructions', text('instructions')]];
  surface = { __proto__: null, kind: 'tools', name: JSON.parse(name) };
  for (const kind of PLURALS) {
    const [table, json] = declareAll(kind, declared[kind]);
    surface[kind] = table;
    pairs.push([kind, json]);
  }
  if (completes(surface.prompts) || completes(surface.resourceTemplates))
    pairs.push(['completions', 'true']);
  return object(pairs);
}

/** A tool name made of a file's name. */
const nameFrom = (stem) =>
  stringSlice(`${stem}`.replace(/[^A-Za-z0-9_.-]/g, '_'), 0, 128) || 'tool';

function describeBare(run, namespace, stem) {
  const name = nameFrom(stem);
  const given = {};
  for (const key of Object.keys(KINDS.tools.members))
    given[key] = namespace?.[key];
  return describeDeclared({ name, version: namespace?.version,
    tools: { [name]: { ...given, run } } }, stem);
}

/** The object whose fetch() answers requests, if it is such a bundle. */
function fetcherOf(exported) {
  if (typeof exported === 'function' &&
      typeof exported.prototype?.fetch === 'function')
    return new exported({ waitUntil() {}, props: {} }, {});
  const able = isObject(exported) || typeof exported === 'function';
  return able && typeof exported.fetch === 'function' ? exported : undefined;
}

/** The surface's JSON text; throws an Error that says what is wrong. */
export function describe(namespace, globalRun, stem = 'tool') {
  const exported = namespace?.default;
  const fetcher = fetcherOf(exported);
  if (fetcher !== undefined) {
    surface = { __proto__: null, kind: 'fetch', self: fetcher,
      fn: fetcher.fetch };
    return '{"kind":"fetch"}';
  }
  if (isObject(exported) &&
      PLURALS.some((kind) => exported[kind] !== undefined))
    return describeDeclared(exported, stem);
  const run = [exported, exported?.run, namespace?.run, globalRun]
    .find((value) => typeof value === 'function');
  if (run !== undefined) {
    return describeBare(run === exported?.run ?
      (input, ctx) => exported.run(input, ctx) : run,
    isObject(exported) ? exported : namespace, stem);
  }
  throw new TypeError('this is not a tool: it must `export default` an ' +
      'object with "tools" (or prompts, resources, resourceTemplates) or ' +
      'with a fetch() method, or a function, or define ' +
      '`function run(input)`');
}
