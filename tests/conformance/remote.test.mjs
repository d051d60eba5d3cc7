// SPDX-License-Identifier: Apache-2.0

// The official conformance suite against a remote server: the fixture behind the
// SDK's own HTTP, then the gateway, by way of an egress that is the test's.

import assert from 'node:assert/strict';
import { describe, before, after, test } from 'node:test';
import { FakeEgress } from '../proc/fake-egress.mjs';
import { Gateway } from '../proc/fake-gateway.mjs';
import { serveHttp } from './http.mjs';
import { conformance, requiredScenarios } from './suite.mjs';

const ORIGIN = 'https://mcp.example.com';

// What no host can make of an older server; see conformance.test.mjs.
const beyond = { legacy: { '2026-07-28':
  ['input-required-result-basic-elicitation', 'server-stateless'] } };

for (const era of ['both', 'legacy', 'modern']) {
  describe(`a remote server, ${era}`, () => {
    let served, egress, gateway;
    before(async () => {
      served = await serveHttp({ era });
      egress = await FakeEgress.start({ [ORIGIN]: served.url.replace(/\/mcp$/, '') });
      gateway = await Gateway.start('-n', (store) => {
        store.usual().server(60, 'remote', { kind: 3, url: `${ORIGIN}/mcp`,
          wallMs: 30_000, resultBytes: 1 << 20 });
        store.snapshot();
      }, { FAKE_EGRESS: egress.path });
    });
    after(async () => {
      assert.equal(await gateway.stop(), 0);
      await egress.stop();
      await served.close();
    });

    for (const [revision, count] of [['2025-11-25', 30], ['2026-07-28', 37]]) {
      const but = beyond[era]?.[revision] ?? [];
      test(`reaches ${count - but.length} of ${count} of ${revision}`, async () => {
        const names = await requiredScenarios(revision);
        assert.equal(names.length, count);
        const { passed, failed, said } = await conformance(
          `http://localhost:${gateway.port}/s/remote/mcp`, ['--requirements', revision]);
        const missed = names.filter((name) =>
          !passed.includes(name) && !but.includes(name));
        assert.deepEqual(missed.map((name) => `${name}: ${failed[name]}`), [], said);
      });
    }
  });
}
