// SPDX-License-Identifier: Apache-2.0
// Egress: fetches beside libcurl's and Node's own, in namespaces of their own
// (../fetch.mjs), as rows of results.md.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from './binaries.mjs';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../fetch.mjs', import.meta.url));

export async function fetches(build, { calls, seconds }) {
  const { stdout } = await run(binary('node'), ['--no-warnings', SCRIPT, build, calls, seconds].map(String),
    { timeout: 600_000, maxBuffer: 1 << 20 });
  return { fetches: JSON.parse(stdout.trim().split('\n').at(-1)) };
}

const LARGE_MIB = 256;
const perSecondMib = (row) => row.calls > 0 ? LARGE_MIB * 1000 / row.p50 : undefined;

// What of it is a figure; undefined where a part did not run.
export function figures({ fetches: of = {} } = {}) {
  const { small, large, secure, many, starts, idle, check } = of;
  const row = (label, name) => ({ label, small: small?.[name], many: many?.[name],
    mibPerSecond: large?.[name] && perSecondMib(large[name]),
    secureMibPerSecond: secure?.[name] && perSecondMib(secure[name]) });
  return {
    added: small?.egress && small.egress.p50 - small.direct.p50,
    share: large?.egress && large.direct.p50 / large.egress.p50,
    secureShare: secure?.egress && secure.direct.p50 / secure.egress.p50,
    startAdded: starts?.with && starts.with.p50 - starts.without.p50,
    idleKib: idle?.kibEach,
    checkNs: check?.addr_refused?.median,
    rows: [
      row('libcurl, direct', 'direct'),
      row('**cordon**, through egress', 'egress'),
      row('Node\'s fetch, direct', 'node'),
      row('**cordon**, libcurl in a box, relayed', 'relayed'),
      row('**cordon**, libcurl in a box, requests seen', 'seen'),
      row('a process between that only copies', 'copied'),
      row('the same with splice(2)', 'spliced'),
    ],
  };
}

export function inWords({ fetches: of }) {
  const { added, share, secureShare, startAdded, idleKib, checkNs } = figures({ fetches: of });
  const said = (value, text) => value === undefined ? '' : text(value);
  const failed = Object.entries(of).filter(([, part]) => part.error !== undefined)
    .map(([name, { error }]) => `${name}: ${error}`);
  return [said(added, (n) => `adds ${n.toPrecision(3)} ms`), said(share, (n) => `${Math.round(n * 100)} % of direct for a large body`),
    said(secureShare, (n) => `${Math.round(n * 100)} % over TLS`),
    said(startAdded, (n) => `adds ${n.toPrecision(3)} ms to a start`), said(idleKib, (n) => `${n.toPrecision(2)} KiB a connection`),
    said(checkNs, (n) => `${Math.round(n)} ns an address`), ...failed].filter(Boolean).join(', ');
}
