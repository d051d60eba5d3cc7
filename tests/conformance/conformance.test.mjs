// SPDX-License-Identifier: Apache-2.0

// The official conformance suite: first against the fixture alone, so that what
// fails behind the host is the host's; then through the host, once for each
// kind of upstream.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { callTool } from '../lib/mcp.mjs';
import { node } from '../lib/paths.mjs';
import { startEverything, upstreams } from '../lib/upstreams.mjs';
import { serveHttp } from './http.mjs';
import { conformance, requiredScenarios } from './suite.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const required = { '2025-11-25': 30, '2026-07-28': 37 };

// What was reached; more is a reason to raise it.
const tasks = 10;

// What no host can make of an older server: one whose questions have no keys,
// and that answers with a failed tool where it may not ask.
const beyond = { legacy: { '2026-07-28':
  ['input-required-result-basic-elicitation', 'server-stateless'] } };

// What is asked for, by count and by name: none is missing, none failed.
async function reaches(url, revision, but = []) {
  const names = await requiredScenarios(revision);
  assert.equal(names.length, required[revision]);
  const { passed, failed, said } =
    await conformance(url, ['--requirements', revision]);
  const missed = names.filter((name) =>
    !passed.includes(name) && !but.includes(name));
  assert.deepEqual(missed.map((name) => `${name}: ${failed[name]}`), [], said);
}

describe('the fixture alone, over the SDK\'s own HTTP', () => {
  let served;
  before(async () => { served = await serveHttp(); });
  after(() => served.close());

  for (const [revision, count] of Object.entries(required)) {
    test(`reaches ${count} of ${count} of ${revision}`, () =>
      reaches(served.url, revision));
  }
});

describe('through the host', () => {
  let all;
  before(async () => {
    all = await startEverything({ args: ['--no-auth'], boxes: {},
      commands: { tasks: [node, here('tasks.mjs')] } });
  });
  after(async () => {
    const { exit, left } = await all.stop();
    assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
  });

  for (const [server, what] of Object.entries(upstreams)) {
    for (const [revision, count] of Object.entries(required)) {
      const but = beyond[server]?.[revision] ?? [];
      test(`${what} reaches ${count - but.length} of ${count} of ${revision}`, () =>
        reaches(all.host.endpoint(server), revision, but));
    }

    // The suite is content with any answer to this one.
    test(`${what} answers with its own text`, async () => {
      const { content } = await callTool(all.host, server, 'test_simple_text', {});
      assert.deepEqual(content, [{ type: 'text',
        text: 'This is a simple text response for testing.' }]);
    });
  }

  // An extension: run with the revision, required by none. One of the ten
  // checks nothing yet.
  test(`${tasks} of 10 scenarios of the tasks extension`, async (t) => {
    const { passed, failed } = await conformance(all.host.endpoint('tasks'),
      ['--requirements', '2026-07-28']);
    const isOwn = (name) => name.startsWith('tasks-');
    const missed = Object.entries(failed).filter(([name]) => isOwn(name));
    const reached = passed.filter(isOwn);
    t.diagnostic(`reached ${reached.length} of ${reached.length + missed.length}`);
    assert.equal(reached.length, tasks, JSON.stringify(missed));
  });
});
