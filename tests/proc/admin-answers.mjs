// SPDX-License-Identifier: Apache-2.0

// Answers of the store's admin API, each held against doc/openapi.json.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../lib/paths.mjs';

export const api = JSON.parse(readFileSync(join(root, 'doc/openapi.json'), 'utf8'));
const Ajv = createRequire(join(root, 'tests/e2e/package.json'))('ajv/dist/2020.js').default;
const ajv = new Ajv({ strict: false, formats: {} });
ajv.addSchema(api, 'api');

// What the document says of this answer; every answer of every test is held
// against it.
export function holdAgainst({ method, path, status, json }) {
  const asked = `/admin${path.split('?')[0]}`;
  const [known] = Object.keys(api.paths).filter((one) =>
    new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(asked))
    .sort((a, b) => a.includes('{') - b.includes('{'));
  const operation = api.paths[known]?.[method.toLowerCase()];
  if (!operation) return assert.ok([401, 403, 404, 405].includes(status), `${method} ${asked}`);
  const place = `/paths/${known.replaceAll('/', '~1')}/${method.toLowerCase()}/responses/${status}`;
  const said = operation.responses[status];
  assert.ok(said, `${method} ${known} answers ${status}, which is not described`);
  const pointer = said.$ref?.slice(1) ?? place;
  if (status === 204) return assert.equal(json, null);
  const check = ajv.compile({ $ref: encodeURI(
    `api#${pointer}/content/application~1json/schema`) });
  assert.ok(check(json), `${method} ${known}: ${ajv.errorsText(check.errors)}`);
}

export const ok = async (promise, status = 200) => {
  const answer = await promise;
  assert.equal(answer?.status, status, JSON.stringify(answer?.json));
  holdAgainst(answer);
  return answer.json;
};

export const refused = async (promise, status, words) => {
  const answer = await promise;
  assert.equal(answer?.status, status, JSON.stringify(answer?.json));
  assert.match(answer.json.error, words);
  holdAgainst(answer);
};
