// SPDX-License-Identifier: Apache-2.0

// The official conformance suite: first against the fixture alone, so that what
// fails behind the host is the host's; then through the host, once for each
// kind of upstream.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool } from '../lib/mcp.mjs';
import { node } from '../lib/paths.mjs';
import { serveHttp } from './http.mjs';
import { inetd } from './inetd.mjs';
import { conformance, requiredScenarios } from './suite.mjs';

const required = { '2025-11-25': 30, '2026-07-28': 37 };
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// What is asked for, by count and by name: none is missing, none failed.
async function reaches(url, revision) {
  const names = await requiredScenarios(revision);
  assert.equal(names.length, required[revision]);
  const { passed, failed, said } =
    await conformance(url, ['--requirements', revision]);
  const missed = names.filter((name) => !passed.includes(name));
  assert.deepEqual(missed.map((name) => `${name}: ${failed[name]}`), [], said);
  return { passed, failed };
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

// Which kinds of upstream there are, and the server's name of each.
const kinds = {
  isolate: 'a declarative server in cells',
  both: 'a stdio server of both eras',
  legacy: 'a stdio server of the older revisions',
  modern: 'a stdio server of 2026-07-28 alone',
};

describe('through the host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cordon-fixture-'));
  const relays = {};
  let host;

  before(async () => {
    for (const era of ['both', 'legacy', 'modern']) {
      relays[era] = await inetd(join(folder, era), node, [here('stdio.mjs'), era]);
    }
    host = await Host.start({
      files: { 'isolate.js': readFileSync(here('everything.js'), 'utf8') },
      config: { servers: Object.fromEntries(Object.entries(relays)
        .map(([era, { path }]) => [era, { socket: path }])) },
      args: ['--no-auth'],
    });
  });

  after(async () => {
    const { exit, left } = await host.stop();
    for (const relay of Object.values(relays)) await relay.close();
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual([exit, left], [{ code: 0, signal: null }, []]);
  });

  for (const [server, what] of Object.entries(kinds)) {
    for (const [revision, count] of Object.entries(required)) {
      test(`${what} reaches ${count} of ${count} of ${revision}`, () =>
        reaches(host.endpoint(server), revision));
    }

    // The suite is content with any answer to this one.
    test(`${what} answers with its own text`, async () => {
      const { content } = await callTool(host, server, 'test_simple_text', {});
      assert.deepEqual(content, [{ type: 'text',
        text: 'This is a simple text response for testing.' }]);
    });
  }
});
