// SPDX-License-Identifier: Apache-2.0
// JSON Schema 2020-12 as closures: a schema is read once, in the template, and
// becomes functions `(value, run, seen) => boolean`; no code is generated. The
// libraries there are either miss much of the official test suite or cost a
// tiny call a third of its time (tests/js/schema.test.mjs).
//
// `run` is the state of one validation: the path to the value at hand, the
// first fault, the depth and the steps that are left, the resources that were
// entered ($dynamicRef). `seen` gathers what unevaluated… must not look at;
// it is undefined where nobody asks.

import { assertions } from './assertions.js';
import { below } from './below.js';
import {
  Documents, SchemaError, isObject, isSchema, step,
} from './document.js';
import { inPlace } from './inplace.js';
import { fail, kindOf } from './run.js';
import { Seen } from './seen.js';

const DEPTH_MAX = 200; // of schemas within schemas, at one time
const STEPS_MAX = 1e6; // schemas applied, in one validation

const EXHAUSTED = 'takes too long to be checked: more than 1,000,000 ' +
    'schemas apply, or more than 200 within each other';
const exhausted = { __proto__: null };

const pass = { __proto__: null, check: () => true };
const refuse = { __proto__: null,
  check: (value, run) => fail(run, 'is not allowed') };

class Compiler {
  #nodes = new Map();

  constructor(documents) {
    this.documents = documents;
  }

  /** `{check}` of a schema; its check is there once compilation is over. */
  node(schema, resource, pointer) {
    if (typeof schema === 'boolean')
      return schema ? pass : refuse;
    if (!isObject(schema)) {
      throw new SchemaError(pointer,
          `must be a schema, but is ${kindOf(schema)}`);
    }
    let node = this.#nodes.get(schema);
    if (node === undefined) {
      node = { __proto__: null, check: undefined };
      this.#nodes.set(schema, node);
      node.check = this.#build(schema,
          this.documents.placeOf(schema)?.resource ?? resource, pointer);
    }
    return node;
  }

  /** A keyword's schema, or undefined. */
  child(schema, key, resource, pointer) {
    return schema[key] === undefined ? undefined :
      this.node(schema[key], resource, step(pointer, key));
  }

  /** The schemas of a list keyword. */
  list(schema, key, resource, pointer) {
    const at = step(pointer, key);
    if (!Array.isArray(schema[key]))
      throw new SchemaError(at, 'must be an array of schemas');
    return schema[key].map((one, i) => this.node(one, resource, step(at, i)));
  }

  /** Names and schemas of an object keyword. */
  table(schema, key, resource, pointer) {
    const at = step(pointer, key);
    if (!isObject(schema[key]))
      throw new SchemaError(at, 'must be an object of schemas');
    return Object.entries(schema[key]).filter(([, one]) => isSchema(one) ||
        key !== 'dependencies').map(([name, one]) =>
      [name, this.node(one, resource, step(at, name))]);
  }

  #build(schema, resource, pointer) {
    const place = { compiler: this, schema, resource, pointer };
    const { rest, last } = below(place);
    const checks = [...resource.validates ? assertions(place) : [],
      ...inPlace(place), ...rest];
    const check = last.length === 0 ? every(checks) :
      withOwnSeen(every(checks), every(last));
    const counted = (value, run, seen) => {
      if (++run.depth > DEPTH_MAX || --run.left < 0)
        throw exhausted;
      const holds = check(value, run, seen);
      run.depth--;
      return holds;
    };
    return this.documents.hasDynamic ? entering(resource, counted) : counted;
  }
}

function every(checks) {
  if (checks.length === 1)
    return checks[0];
  const { length } = checks;
  return (value, run, seen) => {
    for (let i = 0; i < length; i++) {
      if (!checks[i](value, run, seen))
        return false;
    }
    return true;
  };
}

function withOwnSeen(check, last) {
  return (value, run, seen) => {
    const own = new Seen();
    const holds = check(value, run, own) && last(value, run, own);
    if (holds && seen !== undefined)
      seen.addAll(own);
    return holds;
  };
}

function entering(resource, check) {
  return (value, run, seen) => {
    const { scope } = run;
    const enters = scope[scope.length - 1] !== resource;
    if (enters)
      scope.push(resource);
    const holds = check(value, run, seen);
    if (enters)
      scope.length--;
    return holds;
  };
}

/**
 * A function of a value, and perhaps of how many steps its check may take:
 * undefined if it is valid, else `{pointer, message}` of the first fault.
 * Throws a SchemaError about the schema itself.
 */
export function compileSchema(schema, remotes = undefined) {
  if (!isSchema(schema))
    throw new SchemaError('', 'must be an object or a boolean');
  const documents = new Documents(remotes);
  const resource = documents.add(schema);
  const { check } = new Compiler(documents).node(schema, resource, '');
  return (value, left = STEPS_MAX) => {
    const run = { __proto__: null, path: [], quiet: 0, fault: undefined,
      depth: 0, left, scope: [] };
    try {
      return check(value, run, undefined) ? undefined : run.fault;
    } catch (error) {
      if (error !== exhausted)
        throw error;
      return { __proto__: null, pointer: '', message: EXHAUSTED };
    }
  };
}
