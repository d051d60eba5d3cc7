// SPDX-License-Identifier: Apache-2.0
// JSON Schema 2020-12: the official JSON-Schema-Test-Suite, as Debian has it
// (libtest-json-schema-acceptance-perl), and what is ours: words, bounds.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setNative } from '../../js/native.js';
import { compileSchema } from '../../js/schema/compile.js';

const SUITE = '/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance';
const DRAFT = 'draft2020-12';
const META = new URL('../e2e/node_modules/ajv/dist/refs/json-schema-2020-12/',
    import.meta.url);
/** Tests that fail, as 'file: group: test'. None does; a new one must not. */
const KNOWN_FAILURES = [];

setNative({
  urlParse(text, base) {
    const url = URL.parse(text, base);
    return url === null ? undefined : [url.href];
  },
});

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** The documents that the suite's schemas refer to, by URI. */
function remotes() {
  const found = new Map();
  const walk = (folder, uri) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory())
        walk(name, `${uri}${entry.name}/`);
      else
        found.set(`${uri}${entry.name}`, read(name));
    }
  };
  walk(path.join(SUITE, 'remotes'), 'http://localhost:1234/');
  for (const name of ['schema', 'meta/core', 'meta/applicator',
    'meta/unevaluated', 'meta/validation', 'meta/meta-data',
    'meta/format-annotation', 'meta/content']) {
    const schema = read(new URL(`${name}.json`, META));
    found.set(schema.$id, schema);
  }
  return found;
}

function failuresOf(file, known) {
  const failures = [];
  let n = 0;
  for (const group of read(path.join(SUITE, 'tests', DRAFT, file))) {
    let check;
    try {
      check = compileSchema(group.schema, known);
    } catch (error) {
      check = () => error;
    }
    for (const { description, data, valid } of group.tests) {
      n++;
      if ((check(data) === undefined) !== valid)
        failures.push(`${file}: ${group.description}: ${description}`);
    }
  }
  return { failures, n };
}

test('the required part of the official suite', () => {
  const known = remotes();
  const failures = [];
  let n = 0;
  for (const file of readdirSync(path.join(SUITE, 'tests', DRAFT))) {
    if (!file.endsWith('.json'))
      continue;
    const found = failuresOf(file, known);
    failures.push(...found.failures);
    n += found.n;
  }
  assert.ok(n > 1100, `only ${n} tests were found`);
  assert.deepEqual(failures, KNOWN_FAILURES);
});

const OPTIONAL = ['bignum', 'cross-draft', 'dependencies-compatibility',
  'ecmascript-regex', 'float-overflow', 'no-schema', 'non-bmp-regex',
  'refOfUnknownKeyword', 'unicode'];

/**
 * Of the optional part: the dialect of a document is that of all it names, and
 * a format ("regex") asserts nothing.
 */
const OPTIONAL_FAILURES = [
  'optional/cross-draft.json: refs to historic drafts are processed as ' +
      'historic drafts: first item not a string is valid',
  'optional/ecmascript-regex.json: \\a is not an ECMA 262 control escape: ' +
      'when used as a pattern',
];

test('the optional part that is no matter of formats', () => {
  const known = remotes();
  const failures = OPTIONAL.flatMap((name) =>
    failuresOf(`optional/${name}.json`, known).failures);
  assert.deepEqual(failures, OPTIONAL_FAILURES);
});

/** What is said of a value, as 'pointer message'. */
function said(schema, value) {
  const fault = compileSchema(schema)(value);
  return fault === undefined ? undefined : `${fault.pointer} ${fault.message}`;
}

test('says where a value does not fit, and what was expected', () => {
  const schema = {
    type: 'object',
    required: ['price'],
    additionalProperties: false,
    properties: {
      price: { type: 'number', minimum: 0, multipleOf: 0.01 },
      'a/b~c': { type: ['string', 'null'], maxLength: 1, pattern: '^x' },
      list: { type: 'array', uniqueItems: true, maxItems: 2,
        items: { enum: ['red', 'blue'] } },
      one: { oneOf: [{ type: 'integer' }, { minimum: 2 }] },
    },
  };
  assert.equal(said(schema, { price: 45, list: ['red'] }), undefined);
  assert.equal(said(schema, 5), ' must be an object, but is a number');
  assert.equal(said(schema, {}), ' must have the member "price"');
  assert.equal(said(schema, { price: '45' }),
      '/price must be a number, but is a string');
  assert.equal(said(schema, { price: -1 }),
      '/price must be at least 0, but is -1');
  assert.equal(said(schema, { price: 0.001 }),
      '/price must be a multiple of 0.01');
  assert.equal(said(schema, { price: 1, more: 1 }),
      ' must not have the member "more"');
  assert.equal(said(schema, { price: 1, 'a/b~c': 5 }),
      '/a~1b~0c must be a string or null, but is a number');
  assert.equal(said(schema, { price: 1, 'a/b~c': 'yy' }),
      '/a~1b~0c must have at most 1 character');
  assert.equal(said(schema, { price: 1, 'a/b~c': '😀' }),
      '/a~1b~0c must match the pattern "^x"');
  assert.equal(said(schema, { price: 1, list: ['red', 'green'] }),
      '/list/1 must be one of ["red","blue"], but is "green"');
  assert.equal(said(schema, { price: 1, list: ['red', 'red'] }),
      '/list must not have equal items, but 0 and 1 are');
  assert.equal(said(schema, { price: 1, one: 3 }), '/one must fit exactly ' +
      'one of the 2 schemas of "oneOf", but fits 2');
});

test('a schema that means nothing is refused, with the place', () => {
  const refused = (schema, ...patterns) => {
    for (const pattern of patterns)
      assert.throws(() => compileSchema(schema), { message: pattern });
  };
  refused(5, /must be an object or a boolean/);
  refused({ properties: { a: { type: 'strin' } } },
      /at "\/properties\/a\/type" it is no type: "strin"/);
  refused({ minimum: '3' }, /at "\/minimum" it must be a number/);
  refused({ required: 'a' }, /at "\/required" it must be a list of names/);
  refused({ properties: [] }, /at "\/properties" it must be an object of/);
  refused({ pattern: '(' }, /at "\/pattern" it is not a regular expression/);
  refused({ items: 3 }, /at "\/items" it must be a schema, but is a number/);
  refused({ $ref: 'https://example.com/other.json' }, /"\/\$ref" it refers/,
      /"https:\/\/example\.com\/other\.json"/, /nothing is fetched/);
  refused({ $ref: '#/$defs/absent' }, /not in this document/);
  refused({ $schema: 'https://example.com/own' }, /a dialect that is not known/);
  let deep = {};
  for (let i = 0; i < 100; i++)
    deep = { not: deep };
  refused(deep, /nested deeper than 64 levels/);
});

test('understands what older dialects and zod write', () => {
  assert.equal(said({ pattern: '^[\\w-\\.]+$' }, 'a.b-c'), undefined);
  assert.equal(said({ $schema: 'http://json-schema.org/draft-07/schema#',
    definitions: { a: { type: 'string' } },
    items: [{ $ref: '#/definitions/a' }], additionalItems: false }, [5]),
  '/0 must be a string, but is a number');
  assert.equal(said({ $schema: 'http://json-schema.org/draft-07/schema#',
    items: [true], additionalItems: false }, [5, 6]), '/1 is not allowed');
});

test('a schema that goes round, or grows like a bomb, ends', () => {
  assert.match(said({ $ref: '#' }, 1), /takes too long to be checked/);
  const $defs = { l0: { type: 'number' } };
  for (let i = 1; i <= 40; i++) {
    const below = { $ref: `#/$defs/l${i - 1}` };
    $defs[`l${i}`] = { allOf: [below, below] };
  }
  const start = performance.now();
  assert.match(said({ $defs, $ref: '#/$defs/l40' }, 1), /takes too long/);
  assert.ok(performance.now() - start < 10000);
  // Deep, but not endless: a list of a hundred nodes.
  let list = null;
  for (let i = 0; i < 90; i++)
    list = { next: list };
  const schema = { type: ['object', 'null'],
    properties: { next: { $ref: '#' } } };
  assert.equal(said(schema, list), undefined);
});

test('members of Object.prototype are no members', () => {
  const schema = { type: 'object', required: ['toString'],
    properties: { constructor: { type: 'number' } } };
  assert.equal(said(schema, {}), ' must have the member "toString"');
  assert.equal(said(schema, JSON.parse(
      '{"toString": 1, "__proto__": {"constructor": "x"}}')), undefined);
  assert.equal(said({ additionalProperties: false },
      JSON.parse('{"__proto__": 1}')), ' must not have the member "__proto__"');
});
