// SPDX-License-Identifier: Apache-2.0
// results.md out of what was measured. A figure that is missing was not
// measured; the reason stands in its row.

import { boxes } from './boxes.mjs';
import { figures } from './fetch.mjs';
import { gateways } from './gateway.mjs';
import { servers } from './http.mjs';
import { peers } from './peers.mjs';

const has = (value) => value !== undefined && value !== null && Number.isFinite(value);

function number(value) {
  if (!has(value)) return '–';
  if (value >= 1000) return String(Math.round(value));
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

const kib = (value) => (!has(value) ? '–' : value >= 1024 ? `${number(value / 1024)} MiB` : `${number(value)} KiB`);
const times = (value, base) => (has(value) && has(base) && base > 0 ? `× ${number(value / base)}` : '–');

const WALLS = 'what stands between calls';
const AROUND = 'what stands around it';

function table(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = line(heads.map((head, i) => (i === 0 || [WALLS, AROUND].includes(head) ? '---' : '---:')));
  return [line(heads), rule, ...rows.map(line)].join('\n');
}

const best = (throughput) => Math.max(...[throughput].flat().filter(Boolean).map((each) => each.perSecond));

// The rows of one workload: label, walls and the plain figures of each.
function callRows(results, section) {
  const of = results[section] ?? {};
  const own = of.cordon ?? {};
  const walls = 'fresh isolate in a fresh, confined process';
  const rows = [{ label: '**cordon**, back to back', walls, ...own }];
  if (own.paced !== undefined)
    rows.push({ label: '**cordon**, a call every 3 ms', walls, latency: own.paced });
  for (const peer of peers) {
    if (of[peer.name] !== undefined) rows.push({ label: peer.label, walls: peer.walls, fresh: peer.fresh, ...of[peer.name] });
  }
  return rows;
}

function callTable(results, section, memory) {
  const rows = callRows(results, section);
  const base = rows[0].latency ?? {};
  const heads = ['a call in', WALLS, 'p50 ms', 'p99 ms', 'p50 against cordon', 'CPU ms a call', 'calls/s', 'memory of a live one'];
  return table(heads, rows.map(({ label, walls, error, latency = {}, throughput, ...row }) => error !== undefined
    ? [label, walls, `did not run: ${error}`, '', '', '', '', '']
    : [label, walls, number(latency.p50), number(latency.p99), times(latency.p50, base.p50), number(latency.cpuMs),
      throughput === undefined ? '–' : number(best(throughput)),
      kib(row.memory?.kibEach ?? (latency === base ? memory?.kibEach : undefined))]));
}

function httpTable(results) {
  const of = results.http ?? {};
  const base = of.cordon?.latency?.p50;
  const heads = ['server', WALLS, 'p50 ms', 'p99 ms', 'p50 against cordon', 'CPU ms a call', 'calls/s (in flight)', 'memory of it all'];
  return table(heads, servers.filter(({ name }) => of[name] !== undefined).map(({ name, label, walls }) => {
    const { error, latency = {}, throughput = [], kib: whole } = of[name];
    const title = name === 'cordon' ? `**${label}**` : label;
    if (error !== undefined) return [title, walls, `did not run: ${error}`, '', '', '', '', ''];
    const rate = throughput.map((each) => `${number(each.perSecond)} (${each.inflight})`).join(', ');
    return [title, walls, number(latency.p50), number(latency.p99), times(latency.p50, base), number(latency.cpuMs), rate, kib(whole)];
  }));
}

const BOXED = { name: 'cordon-box', label: 'cordon serve, which starts it in a box' };
const DIRECT = [{ name: 'direct', label: 'no gateway, a small client in C' },
  { name: 'direct-sdk', label: 'no gateway, the official client' }];

function gatewayTable(results, lanes) {
  const of = { ...results.gateway, 'cordon-box': results['box-proxied']?.cordon };
  const base = of.direct?.latency?.p50;
  const heads = ['', 'p50 ms', 'p99 ms', 'p50 it adds', 'CPU ms a call', ...lanes.map((lane) => `calls/s at ${lane}`),
    'resident, the gateway alone', 'memory of all processes'];
  return table(heads, [...DIRECT, gateways[0], BOXED, ...gateways.slice(1)].filter(({ name }) => of[name] !== undefined).map(({ name, label }) => {
    const { error, latency = {}, throughput = [], gatewayKib, kib: whole } = of[name];
    const title = name.startsWith('cordon') ? `**${label}**` : label;
    if (error !== undefined) return [title, `did not run: ${error}`, ...heads.slice(2).map(() => '')];
    return [title, number(latency.p50), number(latency.p99), name === 'direct' ? '' : number(latency.p50 - base),
      number(latency.cpuMs), ...lanes.map((lane) => number(throughput.find(({ inflight }) => inflight === lane)?.perSecond)),
      kib(gatewayKib), kib(whole)];
  }));
}

function fairnessText({ fairness }) {
  const { error, alone, flooded, flood, ratio } = fairness?.cordon ?? { error: 'not in this run' };
  return error !== undefined ? `Fairness: not measured: ${error}.` :
    `One tenant's calls, one after the other: p99 ${number(alone.p99)} ms alone, ${number(flooded.p99)} ms while another tenant
floods the host from 64 connections (${number(flood.perSecond)} calls/s): × ${number(ratio)}.`;
}

function heldTable(results) {
  const of = results.gateway ?? {};
  return table(['', 'idle sessions', 'memory each', 'SSE streams', 'memory each'],
    gateways.filter(({ name }) => of[name]?.held !== undefined).map(({ name, label }) => {
      const { error, ...held } = of[name].held;
      const title = name === 'cordon' ? `**${label}**` : label;
      return error !== undefined ? [title, `not measured: ${error}`, '', '', '']
        : [title, String(held.sessions), kib(held.sessionBytes / 1024), String(held.streams), kib(held.streamBytes / 1024)];
    }));
}

// What stands in a row of a box's table: its figures, or why there are none.
const boxRows = (of, width, figures) => boxes.filter(({ name }) => of[name] !== undefined).map((box) => {
  const title = box.name.startsWith('cordon') ? `**${box.label}**` : box.label;
  const { error } = of[box.name];
  return error !== undefined ? [title, `did not run: ${error}`, ...Array(width - 1).fill('')] : [title, ...figures(of[box.name], box)];
});

function startTable(of, withWalls) {
  const own = of.cordon?.latency?.p50, plain = of.direct?.latency?.p50;
  const heads = ['', ...(withWalls ? [AROUND] : []), 'p50 ms', 'p99 ms', 'p50 it adds', 'p50 against cordon'];
  return table(heads, boxRows(of, heads.length - 1, ({ latency }, box) => [...(withWalls ? [box.walls] : []),
    number(latency.p50), number(latency.p99), box.name === 'direct' ? '' : number(latency.p50 - plain), times(latency.p50, own)]));
}

const INSIDE = [['compute', '1,000 multiplications'], ['getpid', 'getpid'], ['readWrite', 'read and write of a byte'],
  ['openClose', 'open and close'], ['openMissing', 'open of a file that is not there'], ['stat', 'stat']];

function insideTable(of = {}) {
  return table(['nanoseconds', ...INSIDE.map(([, label]) => label)],
    boxRows(of, INSIDE.length, ({ ns }) => INSIDE.map(([key]) => number(ns[key]))));
}

function wrapperTable(of = {}) {
  return table(['', 'processes besides the program', 'their memory'],
    boxRows(of, 2, ({ processes, kib: whole }) => [String(processes), kib(whole)]));
}

function boxStdioTable(of = {}, lanes) {
  const heads = ['', 'p50 ms', 'p99 ms', ...lanes.map((lane) => `calls/s at ${lane}`)];
  return table(heads, boxRows(of, heads.length - 1, ({ latency, throughput }) => [number(latency.p50), number(latency.p99),
    ...lanes.map((lane) => number(throughput.find(({ inflight }) => inflight === lane)?.perSecond))]));
}

function hostedText(of) {
  const { error, count, stormSeconds, latency, boxKib, processesEach, restSeconds, restCpuMs } = of?.cordon ?? { error: 'not in this run' };
  return error !== undefined ? `Hosted servers: not measured: ${error}.` :
    `${count} small servers on stdio that a host starts in boxes, all asked at once, none of them started before: all had answered
their first call after ${number(stormSeconds)} s (p50 ${number(latency.p50)} ms, a session, the greeting and the list included). Besides the server itself each took
${kib(boxKib)} and ${number(processesEach - 1)} processes. At rest, host and servers together spent ${number(restCpuMs)} ms of CPU in ${restSeconds} s.`;
}

function cellTable(results) {
  const rows = [['waiting', 'a warm cell that waits, tiny tool'], ['waiting-sdk-v2', 'a warm cell that waits, SDK v2 bundle']]
    .filter(([section]) => results[section] !== undefined)
    .map(([section, label]) => {
      const { error, ...row } = results[section].cordon;
      return error !== undefined ? [label, `not measured: ${error}`, '', '', '']
        : [label, String(row.cells), kib(row.privateKib), kib(row.pteKib), kib(row.pssKib)];
    });
  return table(['cordon', 'cells', 'private', 'page tables', 'its share of everything'], rows);
}

function densityTable(results, section) {
  const of = results[section] ?? {};
  const own = Object.entries(of).filter(([name]) => name.startsWith('cordon-'))
    .map(([name, row]) => ({ count: Number(name.slice(7)), ...row }));
  const rows = own.map((row) => ['**cordon**', row]);
  for (const row of of.workerd?.density ?? []) rows.push(['workerd, dynamic worker loader', row]);
  if (of.workerd?.error !== undefined) rows.push(['workerd, dynamic worker loader', { count: '', error: of.workerd.error }]);
  return table(['', 'deployments', 'all ready in s', 'memory each', 'of it the template', 'p50 ms', 'p99 ms'], rows.map(([label, row]) => {
    if (row.error !== undefined) return [label, String(row.count), `did not run: ${row.error}`, '', '', '', ''];
    if (row.died !== undefined) return [label, String(row.count), `ended after ${row.died}: ${row.reason}`, '', '', '', ''];
    const own = row.stats === undefined ? undefined : row.stats.templateBytes / 1024 / row.stats.templates;
    return [label, String(row.count), number(row.seconds), kib(row.kibEach), kib(own), number(row.p50), number(row.p99)];
  }));
}

function heapTable(results, heaps) {
  const names = ['cordon', ...peers.filter(({ fresh }) => fresh).map(({ name }) => name)];
  const labels = { cordon: '**cordon**', ...Object.fromEntries(peers.map(({ name, label }) => [name, label])) };
  return table(['p50 ms with a state of', ...heaps.map((mib) => `${mib} MiB`)], names.map((name) => [labels[name], ...heaps.map((mib) => {
    const { error, latency } = results[`heap-${mib}`]?.[name] ?? {};
    return error !== undefined ? `no: ${error.slice(0, 60)}` : number(latency?.p50);
  })]));
}

function coldTable(results) {
  const of = results.wide ?? {};
  const own = of.cordon ?? {};
  const rows = [['**cordon**, first call of a deployment', own, own],
    ...peers.filter(({ name }) => of[name] !== undefined).map(({ name, label }) => [label, of[name], of[name].latency ?? {}])];
  return table(['', 'p50 ms', 'p99 ms', 'p50 against cordon'], rows.map(([label, { error }, latency]) => error !== undefined
    ? [label, `did not run: ${error}`, '', '']
    : [label, number(latency.p50), number(latency.p99), times(latency.p50, own.p50)]));
}

// The goals of the design: what was asked, what this run measured.
function goals({ results }) {
  const { tiny, wide, waiting, http } = results;
  const sdk = results['sdk-v2']?.cordon;
  const dense = (section) => Object.entries(results[section] ?? {}).filter(([name, row]) => name.startsWith('cordon-') && has(row.kibEach)).at(-1)?.[1];
  const many = dense('density-tiny'), manySdk = dense('density-sdk-v2');
  const way = figures(results.fetch?.cordon);
  const rows = [
    ['tiny tool at the host API, p50', 0.1, tiny?.cordon?.latency?.p50, 'ms'],
    ['the same, a call every 3 ms, p50', 0.1, tiny?.cordon?.paced?.p50, 'ms'],
    ['tiny tool at the host API, p99', 0.7, tiny?.cordon?.latency?.p99, 'ms'],
    ['SDK v2 bundle, p50', 1, sdk?.latency?.p50, 'ms'],
    ['SDK v2 bundle, calls/s', -1000, sdk?.throughput && best(sdk.throughput), '/s'],
    ['end to end over HTTP, p50', 0.5, http?.cordon?.latency?.p50, 'ms'],
    ['end to end over HTTP, calls/s', -3000, http?.cordon?.throughput && best(http.cordon.throughput), '/s'],
    ['a proxied stdio call: p50 it adds', 0.1, results.gateway?.cordon?.latency && results.gateway.direct?.latency
      && results.gateway.cordon.latency.p50 - results.gateway.direct.latency.p50, 'ms'],
    ['proxied stdio calls at 16 in flight', -5000,
      results.gateway?.cordon?.throughput?.find(({ inflight }) => inflight === 16)?.perSecond, '/s'],
    ['resident memory of the gateway', 15, results.gateway?.cordon?.gatewayKib / 1024, 'MiB'],
    ['p99 beside another tenant\'s flood, against p99 alone', 2, results.fairness?.cordon?.ratio, '×'],
    ['private memory of a warm cell', 100, waiting?.cordon?.privateKib, 'KiB'],
    [`memory of a resident tiny deployment and its waiting cell (of ${many?.count ?? '–'})`, 1024, many?.kibEach, 'KiB'],
    [`all of them ready in`, 10, many?.seconds, 's'],
    [`memory of a resident SDK deployment and its waiting cell (of ${manySdk?.count ?? '–'})`, 8192, manySdk?.kibEach, 'KiB'],
    ['first call, cold, 64 kB bundle, p50', 10, wide?.cordon?.p50, 'ms'],
    ['`cordon wrap -- true`: p50 it adds', 2.5, results['box-start']?.cordon?.latency?.p50 - results['box-start']?.direct?.latency?.p50, 'ms'],
    ['a fetch through egress: p50 it adds to libcurl', 0.15, way.added, 'ms'],
    ['a body of 256 MiB through egress, of direct', -80, way.share * 100, '%'],
  ];
  return table(['goal', 'asked', 'measured', ''], rows.map(([what, goal, value, unit]) => {
    const met = has(value) && (goal < 0 ? value >= -goal : value <= goal);
    return [what, `${goal < 0 ? '≥' : '≤'} ${Math.abs(goal)} ${unit}`, has(value) ? `${number(value)} ${unit}` : 'not measured',
      has(value) ? (met ? 'reached' : '**missed**') : ''];
  }));
}

const LOSS_FIELDS = [
  ['p50', (row) => row.latency?.p50 ?? row.p50, 'ms'],
  ['p99', (row) => row.latency?.p99 ?? row.p99, 'ms'],
  ['CPU a call', (row) => row.latency?.cpuMs, 'ms'],
];

// Every peer that beat cordon in some column of the same table.
function losses(results) {
  const lines = [];
  for (const [section, of] of Object.entries(results)) {
    if (of.cordon === undefined) continue;
    for (const [what, pick, unit] of LOSS_FIELDS) {
      const own = pick(of.cordon);
      for (const [name, row] of Object.entries(of)) {
        const theirs = name.startsWith('cordon') || name.startsWith('direct') ? undefined : pick(row);
        if (has(own) && has(theirs) && theirs < own)
          lines.push(`- ${section}, ${what}: ${name} ${number(theirs)} ${unit}, cordon ${number(own)} ${unit}`);
      }
    }
  }
  return lines.length === 0 ? 'Nowhere in this run.' : lines.join('\n');
}

function fetchText({ fetch }) {
  const { rows, idleKib, checkNs, startAdded } = figures(fetch?.cordon);
  const own = rows[0];
  return `${table(['', 'p50 ms', 'p99 ms', 'p50 it adds', '256 MiB: MiB/s', 'against direct', 'over TLS', 'against direct', 'requests/s, 1,000 at once'],
    rows.map(({ label, small, mibPerSecond, secureMibPerSecond, many }) => [label, number(small?.p50), number(small?.p99),
      label === own.label ? '' : number(small?.p50 - own.small?.p50), number(mibPerSecond), times(mibPerSecond, own.mibPerSecond),
      number(secureMibPerSecond), times(secureMibPerSecond, own.secureMibPerSecond), number(many?.perSecond)]))}

An idle connection takes ${number(idleKib)} KiB in egress, the check of an address ${number(checkNs)} ns; a box with a network
starts ${number(startAdded)} ms later than one without.`;
}

export function report({ machine, seconds, quick, size, results }) {
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`).join(', ');
  return `# Measured

One run of \`./bench/run${quick ? ' --quick' : ''}\`, ${Math.round(seconds)} s, every measurement alone, on ${machine.cores} cores
(${machine.cpu}), ${machine.memoryGib} GiB, Linux ${machine.kernel}. cordon and every peer in Node run on the same engine, Node
${machine.node} (V8 ${machine.v8}). Peers: ${packages}. Ratios compare rows of this run only.

![latency, heap and density](results.svg)

## A tiny tool

\`{price: 45}\` → \`{doublePrice: 90}\`, one call after the other.

${callTable(results, 'tiny', results['in-call']?.cordon)}

## A real server: the official SDK, v2

One bundle of \`@modelcontextprotocol/server\`; a \`tools/call\` as a Request, the answer read from the Response.

${callTable(results, 'sdk-v2')}

## A real server: the official SDK, v1

${callTable(results, 'sdk-v1')}

isolated-vm, node:vm and quickjs-emscripten have no Request, Response or streams: theirs come from npm
(\`bench/isolated/platform.mjs\`), within the same script, and are much less than what the others have.

## End to end over HTTP

\`tools/call\` of the tiny tool, keep-alive, from a small load in C on the same machine.

${httpTable(results)}

## A gateway in front of a stdio server

One server of the official SDK on stdio, called directly and through each gateway: cordon connects to it over a Unix socket, or
starts it in a box; the others start it. What a gateway adds is the difference to a small client in C that writes the same lines itself.

${gatewayTable(results, size.gatewayLanes)}

${fairnessText(results)}

Sessions that were opened and left alone, then a GET stream for each: memory of the gateway's whole tree.

${heldTable(results)}

## A program in a box

From its start to its end; each in turn, in one run, so that all had the same machine. \`true\`, then \`node -e 0\`:

${startTable(results['box-start'] ?? {}, true)}

${startTable(results['box-node'] ?? {}, false)}

What calls of the kernel cost inside, the fastest of many pieces. An open is slower where it is told when it fails: a process of
cordon's in the box looks at each of them (\`--denials none\` leaves that out, \`--denials calls\` too).

${insideTable(results['box-inside'])}

What waits while the program runs, and what it takes:

${wrapperTable(results['box-memory'])}

A server of the official SDK on stdio, whose client starts it so: the pipes are the client's own. Behind cordon's gateway, which
starts it in a box and is asked over HTTP, it is in the table of gateways.

${boxStdioTable(results['box-stdio'], size.gatewayLanes)}

${hostedText(results['box-hosted'])}

## Fetches

100 bytes, one after the other over connections that are kept; one body of 256 MiB; 1,000 at once. One origin behind a veth
pair, for all. In a box the program is the same, and knows of nothing.

${fetchText(results)}

## Memory of a cell

${cellTable(results)}

## Resident deployments

Tiny tools, each under a name of its own; then SDK v2 bundles. cordon's memory is a template and one waiting cell; the
template's part is its private memory as the pool weighs it for its budget. A call of workerd's here finds the same warm isolate
as the call before; cordon's is a fresh cell.

${densityTable(results, 'density-tiny')}

${densityTable(results, 'density-sdk-v2')}

## Cost against the state a tool holds

The tool builds a table of objects when it is loaded. A fresh isolate builds it for every call; a fork inherits it.

${heapTable(results, size.heaps)}

## A cold deployment's first call

64 kB of source.

${coldTable(results)}

## The goals

${goals({ results })}

## Where a peer beats cordon

${losses(results)}

## How it was measured

- Each peer runs in a process of its own, with the tool's source in memory and its engine warm; only what must be fresh is fresh.
  cordon's calls are made at the host API (\`src/pool/pool.h\`) by a driver in C; its cells are forked before a call arrives, which is
  part of the design: "back to back" includes what the pool has to catch up, "a call every 3 ms" finds a cell waiting.
- workerd is asked over HTTP on a Unix socket: its row of one warm isolate says what that hop costs. It keeps no limit on CPU or memory.
- p50 and p99 are nearest ranks of at most ${size.calls} calls or ${size.seconds} s; p99 of fewer than 20 calls is left out. Every answer is checked.
- CPU is user and system time of the whole process tree, reaped children included, the caller's own among it (workerd's: without the caller's).
- Memory is the growth of the whole tree's proportional set size and page tables, for each isolate (or process) that is
  kept after a call; for cordon, for each call under way.
- calls/s is the best of the numbers in flight that were tried (peers: ${size.inflight}; cordon: ${size.lanes.join(', ')}), on all cores, the caller included.
`;
}
