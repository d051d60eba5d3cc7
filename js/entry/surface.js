// SPDX-License-Identifier: Apache-2.0
// Finds which form of tool a bundle is, keeps its handlers, and tells what it
// advertises.

import { jsonStringify, stringSlice } from '../primordials.js';

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
};

/** `{kind, name, tools, prompts, resources}` or `{kind, self, handler}`. */
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

function declareOne(kind, name, one, table) {
  const { key, handler, members } = KINDS[kind];
  const label = `${KINDS[kind].one} ${jsonStringify(`${name}`)}`;
  if (!isText(name) || name === '' || (key === 'name' && !NAME.test(name))) {
    throw new TypeError(`${label}: the ${key} must be ${key === 'uri' ?
      'a URI' : '1 to 128 of the characters A-Z a-z 0-9 _ . / -'}`);
  }
  if (!isObject(one))
    throw new TypeError(`${label}: must be an object`);
  const fn = one[handler];
  if (typeof fn !== 'function')
    throw new TypeError(`${label}: "${handler}" must be a function`);
  if (table[name] !== undefined)
    throw new TypeError(`${label} is declared twice`);
  table[name] = { __proto__: null, fn, self: one };
  const pairs = [[key, jsonStringify(name)]];
  for (const [name, check] of Object.entries(members))
    pairs.push([name, member(one, name, check, label)]);
  return object(complete(kind, name, pairs));
}

/** What MCP requires and a short declaration leaves out. */
function complete(kind, name, pairs) {
  const defaults = kind === 'tools' ?
    { description: '""', inputSchema: '{"type":"object"}' } :
    kind === 'resources' ? { name: jsonStringify(name) } : {};
  return pairs.map(([key, json]) => [key, json ?? defaults[key]]);
}

function declareAll(kind, declared) {
  const table = { __proto__: null };
  const texts = entriesOf(declared, kind, KINDS[kind].key)
    .map(([name, one]) => declareOne(kind, name, one, table));
  return [table, `[${texts.join(',')}]`];
}

function describeTools(declared, stem) {
  const name = member(declared, 'name', 'text', 'the server') ??
      jsonStringify(stem);
  const [tools, toolsJson] = declareAll('tools', declared.tools);
  const [prompts, promptsJson] = declareAll('prompts', declared.prompts);
  const [resources, resourcesJson] =
      declareAll('resources', declared.resources);
  surface = { __proto__: null, kind: 'tools', name: JSON.parse(name),
    tools, prompts, resources };
  return object([['kind', '"tools"'], ['name', name],
    ['version', member(declared, 'version', 'text', 'the server') ??
        '"0.0.0"'],
    ['title', member(declared, 'title', 'text', 'the server')],
    ['instructions', member(declared, 'instructions', 'text', 'the server')],
    ['tools', toolsJson], ['prompts', promptsJson],
    ['resources', resourcesJson]]);
}

/** A tool name made of a file's name. */
const nameFrom = (stem) =>
  stringSlice(`${stem}`.replace(/[^A-Za-z0-9_.-]/g, '_'), 0, 128) || 'tool';

function describeBare(run, namespace, stem) {
  const name = nameFrom(stem);
  const given = {};
  for (const key of Object.keys(KINDS.tools.members))
    given[key] = namespace?.[key];
  return describeTools({ name, version: namespace?.version,
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
  if (isObject(exported) && exported.tools !== undefined)
    return describeTools(exported, stem);
  const run = [exported, exported?.run, namespace?.run, globalRun]
    .find((value) => typeof value === 'function');
  if (run !== undefined) {
    return describeBare(run === exported?.run ?
      (input, ctx) => exported.run(input, ctx) : run,
    isObject(exported) ? exported : namespace, stem);
  }
  throw new TypeError('this is not a tool: it must `export default` an ' +
      'object with "tools" or with a fetch() method, or a function, or ' +
      'define `function run(input)`');
}
