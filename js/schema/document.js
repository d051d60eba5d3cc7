// SPDX-License-Identifier: Apache-2.0
// A schema document: which subschemas it has, what each is called, and what a
// reference in it means. Nothing is ever fetched.

import { native } from '../native.js';

const BASE = 'cordon://schema/';
const DEPTH_MAX = 64;
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** Old dialects whose keywords have kept their meaning, or are translated. */
const OLD = new RegExp('^https?://json-schema\\.org/' +
    '(?:draft-0[67]|draft/2019-09)/schema#?$');
const VALIDATION = 'https://json-schema.org/draft/2020-12/vocab/validation';

/** Keywords that hold a schema, a list of them, or an object of them. */
const ONE = ['additionalItems', 'additionalProperties', 'contains',
  'contentSchema', 'else', 'if', 'items', 'not', 'propertyNames', 'then',
  'unevaluatedItems', 'unevaluatedProperties'];
const LIST = ['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'];
const TABLE = ['$defs', 'definitions', 'dependencies', 'dependentSchemas',
  'patternProperties', 'properties'];

export const isObject = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isSchema = (value) =>
  typeof value === 'boolean' || isObject(value);

/** What is wrong with a schema, and where. */
export class SchemaError extends TypeError {
  constructor(pointer, message) {
    super(`${pointer === '' ? 'the schema' : `at "${pointer}" it`} ${message}`);
  }
}

export const step = (pointer, key) =>
  `${pointer}/${`${key}`.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** An absolute URI and its fragment; undefined if it is none. */
function resolve(reference, base) {
  const href = native.urlParse(reference, base)?.[0];
  if (href === undefined)
    return undefined;
  const hash = href.indexOf('#');
  return hash < 0 ? [href, ''] : [href.slice(0, hash), href.slice(hash + 1)];
}

/** Every document of one compilation: the declared one, and known others. */
export class Documents {
  resources = new Map(); // by absolute URI
  #places = new Map(); // of every subschema: `{resource, pointer}`
  #remotes;
  hasDynamic = false;

  /** `remotes`: documents by URI that may be referred to, besides. */
  constructor(remotes = new Map()) {
    this.#remotes = remotes;
  }

  add(schema, uri = BASE) {
    const resource = this.#newResource(uri, schema);
    this.#scan(schema, resource, '', 0);
    return resource;
  }

  placeOf(schema) {
    return this.#places.get(schema);
  }

  #newResource(uri, root) {
    const resource = { uri, root, anchors: new Map(), dynamic: new Map(),
      validates: this.#validates(root) };
    this.resources.set(uri, resource);
    return resource;
  }

  /** Whether the dialect of a document asserts anything at all. */
  #validates(root) {
    const dialect = root?.$schema;
    if (dialect === undefined || dialect === DIALECT ||
        dialect === `${DIALECT}#` || OLD.test(dialect))
      return true;
    const meta = this.#remotes.get(dialect);
    if (!isObject(meta?.$vocabulary)) {
      throw new SchemaError('/$schema', `names a dialect that is not known: ${
        JSON.stringify(dialect)} (known: ${DIALECT})`);
    }
    return meta.$vocabulary[VALIDATION] !== undefined;
  }

  #scan(schema, outer, pointer, depth) {
    if (!isObject(schema) || this.#places.has(schema))
      return;
    if (depth > DEPTH_MAX) {
      throw new SchemaError(pointer,
          `is nested deeper than ${DEPTH_MAX} levels`);
    }
    let resource = outer;
    if (typeof schema.$id === 'string') {
      const found = resolve(schema.$id, outer.uri);
      if (found === undefined)
        throw new SchemaError(step(pointer, '$id'), 'is not a URI');
      if (schema !== outer.root || found[0] !== outer.uri)
        resource = this.#newResource(found[0], schema);
    }
    this.#places.set(schema, { resource, pointer });
    if (typeof schema.$anchor === 'string')
      resource.anchors.set(schema.$anchor, schema);
    if (typeof schema.$dynamicAnchor === 'string') {
      resource.anchors.set(schema.$dynamicAnchor, schema);
      resource.dynamic.set(schema.$dynamicAnchor, schema);
    }
    this.hasDynamic ||= schema.$dynamicRef !== undefined;
    this.#scanBelow(schema, resource, pointer, depth + 1);
  }

  #scanBelow(schema, resource, pointer, depth) {
    for (const key of ONE)
      this.#scan(schema[key], resource, step(pointer, key), depth);
    for (const key of LIST) {
      if (Array.isArray(schema[key])) {
        schema[key].forEach((one, i) =>
          this.#scan(one, resource, step(step(pointer, key), i), depth));
      }
    }
    for (const key of TABLE) {
      if (isObject(schema[key])) {
        for (const [name, one] of Object.entries(schema[key]))
          this.#scan(one, resource, step(step(pointer, key), name), depth);
      }
    }
  }

  /** The schema that a reference means; throws if there is none. */
  find(reference, from, pointer) {
    const found = typeof reference === 'string' ?
      resolve(reference, from.uri) : undefined;
    if (found === undefined)
      throw new SchemaError(pointer, 'must be a URI reference');
    const [uri, fragment] = found;
    const resource = this.resources.get(uri) ?? this.#remote(uri);
    const target = resource === undefined ? undefined :
      this.#within(resource, fragment);
    if (isSchema(target))
      return { target, resource: this.placeOf(target)?.resource ?? resource };
    throw new SchemaError(pointer, `refers to ${
      JSON.stringify(reference)}, which is not in this document (nothing is ` +
      'fetched: put it into "$defs")');
  }

  #remote(uri) {
    const root = this.#remotes.get(uri);
    return root === undefined ? undefined : this.add(root, uri);
  }

  #within(resource, fragment) {
    if (fragment === '')
      return resource.root;
    let text;
    try {
      text = decodeURIComponent(fragment);
    } catch {
      return undefined;
    }
    if (!text.startsWith('/'))
      return resource.anchors.get(text);
    let at = resource.root;
    let base = resource;
    for (const part of text.slice(1).split('/')) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key))
        return undefined;
      at = at[key];
      base = this.placeOf(at)?.resource ?? base;
    }
    // Below a keyword that is not known, there may be a schema, too.
    this.#scan(at, base, text, 0);
    return at;
  }
}
