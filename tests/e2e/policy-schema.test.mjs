// SPDX-License-Identifier: Apache-2.0

// The published schema of policies says of the examples, and of mistakes, what
// the parser says (tests/unit/policy/test_read.c compares the names).

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { Ajv2020 } from 'ajv/dist/2020.js';

const doc = new URL('../../doc/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, doc), 'utf8'));

const validate = new Ajv2020({ strict: true, allowUnionTypes: true,
  strictTypes: false, allErrors: true })
  .compile(read('policy.schema.json'));

const examples = readdirSync(new URL('examples/', doc))
  .filter((name) => name.startsWith('policy'));

for (const name of examples) {
  test(`${name} is a policy`, () => {
    assert.ok(validate(read(`examples/${name}`)),
      JSON.stringify(validate.errors));
  });
}

// What the manual shows is a policy too.
const manual = readFileSync(
  new URL('../man/cordon-policy.5', doc), 'utf8');
const shown = [...manual.matchAll(/^\.Bd -literal.*\n([^]*?)^\.Ed/gm)];

test('the manual shows policies', () => {
  assert.ok(shown.length > 1);
  for (const [, text] of shown) {
    assert.ok(validate(JSON.parse(text)), text);
  }
});

const mistakes = [
  { filesystem: { allowReads: [] } },
  { filesystem: { allowRead: '/x' } },
  { filesystem: { allowRead: [''] } },
  { profiles: ['ruby'] },
  { env: { 'A-B': 'x' } },
  { env: { A: 1 } },
  { limits: { memory: '5 potatoes' } },
  { limits: { timeout: 30 } },
  { limits: { cpu: 0.001 } },
  { limits: { pids: -1 } },
  { denials: 'some' },
  { ignoreViolations: {} },
  [],
];

for (const mistake of mistakes) {
  test(`${JSON.stringify(mistake)} is none`, () => {
    assert.ok(!validate(mistake));
  });
}
