// SPDX-License-Identifier: Apache-2.0
// Keywords that apply other schemas to the same value.

import { hasOwn, isArray } from '../primordials.js';
import { isObject, step } from './document.js';
import { fail, fits } from './run.js';
import { Seen } from './seen.js';

const ANCHOR = /^[^#]*#([^/].*)$/;

/** Tries a schema; what it has looked at counts only if it fits. */
function tries(node, value, run, seen) {
  if (seen === undefined)
    return fits(node, value, run, undefined);
  const own = new Seen();
  const holds = fits(node, value, run, own);
  if (holds)
    seen.addAll(own);
  return holds;
}

function allOf(nodes) {
  return (value, run, seen) => {
    for (let i = 0; i < nodes.length; i++) {
      if (!nodes[i].check(value, run, seen))
        return false;
    }
    return true;
  };
}

function anyOf(nodes) {
  return (value, run, seen) => {
    let holds = false;
    // Where somebody asks what was looked at, each has its say.
    for (let i = 0; i < nodes.length && !(holds && seen === undefined); i++)
      holds = tries(nodes[i], value, run, seen) || holds;
    return holds || fail(run,
        () => `must fit one of the ${nodes.length} schemas of "anyOf"`);
  };
}

function oneOf(nodes) {
  return (value, run, seen) => {
    let count = 0;
    for (let i = 0; i < nodes.length; i++)
      count += tries(nodes[i], value, run, seen) ? 1 : 0;
    return count === 1 || fail(run, () => `must fit exactly one of the ${
      nodes.length} schemas of "oneOf", but fits ${count}`);
  };
}

function not(node) {
  return (value, run, seen) =>
    !tries(node, value, run, seen === undefined ? undefined : new Seen()) ||
    fail(run, 'must not fit the schema of "not"');
}

function condition(test, then, otherwise) {
  return (value, run, seen) => {
    const next = tries(test, value, run, seen) ? then : otherwise;
    return next === undefined || next.check(value, run, seen);
  };
}

function dependent(rules) {
  return (value, run, seen) => {
    if (typeof value !== 'object' || value === null || isArray(value))
      return true;
    for (let i = 0; i < rules.length; i++) {
      if (hasOwn(value, rules[i][0]) &&
          !rules[i][1].check(value, run, seen))
        return false;
    }
    return true;
  };
}

const follow = (node) => (value, run, seen) => node.check(value, run, seen);

/** The outermost resource that was entered and has the anchor, decides. */
function followDynamic(compiler, name, fallback) {
  return (value, run, seen) => {
    for (let i = 0; i < run.scope.length; i++) {
      const target = run.scope[i].dynamic.get(name);
      if (target !== undefined)
        return compiler.node(target, run.scope[i], '').check(value, run, seen);
    }
    return fallback.check(value, run, seen);
  };
}

function reference(place, keyword) {
  const { compiler, schema, resource, pointer } = place;
  const at = step(pointer, keyword);
  const { target, resource: home } =
      compiler.documents.find(schema[keyword], resource, at);
  const node = compiler.node(target, home, at);
  const anchor = keyword === '$dynamicRef' ?
    ANCHOR.exec(schema[keyword])?.[1] : undefined;
  return isObject(target) && anchor !== undefined &&
      target.$dynamicAnchor === anchor ?
    followDynamic(compiler, anchor, node) : follow(node);
}

/** The checks of one schema. */
export function inPlace(place) {
  const { compiler, schema, resource, pointer } = place;
  const checks = [];
  const list = (key) => compiler.list(schema, key, resource, pointer);
  const child = (key) => compiler.child(schema, key, resource, pointer);
  for (const keyword of ['$ref', '$dynamicRef']) {
    if (schema[keyword] !== undefined)
      checks.push(reference(place, keyword));
  }
  if (schema.allOf !== undefined)
    checks.push(allOf(list('allOf')));
  if (schema.anyOf !== undefined)
    checks.push(anyOf(list('anyOf')));
  if (schema.oneOf !== undefined)
    checks.push(oneOf(list('oneOf')));
  if (schema.not !== undefined)
    checks.push(not(child('not')));
  if (schema.if !== undefined)
    checks.push(condition(child('if'), child('then'), child('else')));
  for (const keyword of ['dependentSchemas', 'dependencies']) {
    if (schema[keyword] !== undefined) {
      checks.push(dependent(
          compiler.table(schema, keyword, resource, pointer)));
    }
  }
  return checks;
}
