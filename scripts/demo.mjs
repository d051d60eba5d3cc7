// SPDX-License-Identifier: Apache-2.0

// What ./run shows: starts the host with the examples, drives a real MCP
// client through each of them, then serves until Ctrl-C.
//
//     node scripts/demo.mjs --mode serve|demo --port N --servers DIR

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, textOf, timed } from '../examples/client.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const { values: options } = parseArgs({
  options: {
    mode: { type: 'string', default: 'serve' },
    port: { type: 'string', default: '7330' },
    servers: { type: 'string', default: 'build/examples' },
  },
});

const START_MS = 20_000;
const REPEAT = 200;

// server, tool, what it is given, and what must come back
const calls = [
  ['hello', 'hello', { name: 'Ada' }, /Hello, Ada!/],
  ['pricing', 'double_price', { price: 45 }, /"doublePrice":90/],
  ['pricing', 'invoice_total',
    { lines: [{ price: 19.99, quantity: 3 }, { price: 5, quantity: 1, rate: 'reduced' }] },
    /"total":77\.46/],
  ['sdk-server', 'word_count', { text: 'a fresh process for every call' }, /"words":6/],
  ['sdk-server', 'add', { a: 19, b: 23 }, /42/],
];

const say = (text = '') => console.log(text);
const cordon = resolve(root, process.env.CORDON_BUILD ?? 'build', 'cordon');

// A demonstration leaves nothing behind, and disturbs no host that runs.
const ownState = options.mode === 'demo' ?
  mkdtempSync(join(tmpdir(), 'cordon-demo-')) : undefined;
if (ownState) {
  process.env.CORDON_STATE = ownState;
  process.on('exit', () => rmSync(ownState, { recursive: true, force: true }));
}

function startHost() {
  const child = spawn(cordon,
    ['serve', '--json', '--listen', `127.0.0.1:${options.port}`,
      resolve(root, options.servers)],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const log = quietLog(child.stderr);
  let rest = '';
  const ready = new Promise((done, failed) => {
    const timer = setTimeout(() =>
      failed(new Error(`the host did not listen within ${START_MS} ms`)), START_MS);
    child.on('error', failed);
    child.on('exit', (code, signal) =>
      failed(new Error(`the host ended at once (${signal ?? `exit ${code}`}); its last words stand above`)));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines.filter((one) => one.startsWith('{'))) {
        const said = JSON.parse(line);
        if (said.url === undefined) continue;
        clearTimeout(timer);
        done({ url: said.url, tokenFile: said.token_file,
          token: readFileSync(said.token_file, 'utf8').trim() });
      }
    });
  });
  return { child, ready, log };
}

// The host's log, kept back while the demonstration talks.
function quietLog(stream) {
  let lines = [];
  let isShown = false;
  stream.setEncoding('utf8').on('data', (text) => {
    if (isShown) process.stderr.write(text);
    else lines = [...lines, ...text.split('\n').filter(Boolean)].slice(-20);
  });
  return {
    tail: () => lines.join('\n'),
    show: () => {
      isShown = true;
    },
  };
}

const percentile = (sorted, p) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];

// The same call again and again, one after the other: each in a new process.
async function repeat(client, name, args) {
  const took = [];
  for (let i = 0; i < REPEAT; i++) {
    took.push((await timed(() => client.callTool({ name, arguments: args }))).ms);
  }
  took.sort((a, b) => a - b);
  return `p50 ${percentile(took, 0.5).toFixed(2)} ms, p99 ${percentile(took, 0.99).toFixed(2)} ms`;
}

async function showServer(url, token, server) {
  const { value: client, ms } = await timed(() =>
    connect(`${url}/s/${server}/mcp`, token));
  const { name = server, version = '' } = client.getServerVersion() ?? {};
  say(`\n${server}: connected to ${name} ${version} in ${ms.toFixed(1)} ms`);
  const list = await timed(() => client.listTools());
  say(`  tools/list   ${list.value.tools.map((tool) => tool.name).join(', ')}` +
    `   (${list.ms.toFixed(2)} ms)`);
  for (const [, tool, args, expected] of calls.filter(([one]) => one === server)) {
    const { value, ms: took } = await timed(() =>
      client.callTool({ name: tool, arguments: args }));
    const text = textOf(value);
    say(`  tools/call   ${tool}(${JSON.stringify(args)})`);
    say(`               -> ${text}   (${took.toFixed(2)} ms)`);
    if (value.isError || !expected.test(text)) {
      throw new Error(`${server}: ${tool} answered ${text}`);
    }
  }
  const [, tool, args] = calls.find(([one]) => one === server);
  say(`  ${REPEAT} calls of ${tool}, each in a fresh process: ` +
    await repeat(client, tool, args));
  await client.close();
}

// All servers at one address, by a client of either era; a tool that asks.
async function showAll(url, token) {
  const eras = { '2025-11-25': 'legacy', '2026-07-28': { pin: '2026-07-28' } };
  for (const [revision, mode] of Object.entries(eras)) {
    const client = await connect(`${url}/mcp`, token, { mode, elicit: ({ params }) => {
      say(`               the user is asked: ${params.message} They say 6.`);
      return { action: 'accept', content: { guests: 6 } };
    } });
    const { tools } = await client.listTools();
    say(`\nall servers, by a client of ${revision}: ${tools.length} tools`);
    const args = { dishes: ['soup', 'bread'] };
    say(`  tools/call   recipes__plan_dinner(${JSON.stringify(args)})`);
    const { value, ms } = await timed(() =>
      client.callTool({ name: 'recipes__plan_dinner', arguments: args }));
    say(`               -> ${textOf(value)}   (${ms.toFixed(2)} ms)`);
    if (value.structuredContent?.guests !== 6) throw new Error('the user was not heard');
    const uri = 'cordon:recipes/recipes://dish/soup';
    const { contents } = await client.readResource({ uri });
    say(`  resources/read ${uri}\n               -> ${contents[0].text}`);
    await client.close();
  }
}

// What a stranger sends is neither seen nor called before it is approved.
function showQuarantine() {
  const run = (...words) => {
    const text = execFileSync(cordon, words, { encoding: 'utf8' }).trimEnd();
    say(`$ cordon ${words.join(' ').replace(`${root}/`, '')}`);
    for (const line of text.split('\n')) say(`  ${line}`);
    return text;
  };
  say('\na server that somebody sends:');
  run('upstream', 'add', 'stranger', resolve(root, 'examples/hello.js'));
  if (/stranger__/.test(run('tools'))) throw new Error('it is seen already');
  run('upstream', 'approve', 'stranger');
  if (!/Hello/.test(run('call', 'stranger__hello', '{"name":"Ada"}'))) {
    throw new Error('it does not answer');
  }
  run('upstream', 'remove', 'stranger');
  run('audit', 'tail', '-n', '4');
}

function sayHow({ url, token, tokenFile }) {
  say(`
The host serves at ${url}

  all       ${url}/mcp
  one       ${url}/s/NAME/mcp   (hello, pricing, recipes, sdk-server)
  token     ${token}
            (kept in ${tokenFile})

In a client's settings:

  {
    "mcpServers": {
      "cordon": {
        "type": "http",
        "url": "${url}/mcp",
        "headers": { "Authorization": "Bearer ${token}" }
      }
    }
  }

For a client that only speaks stdio:

  "cordon": { "command": "${cordon}", "args": ["connect"] }

By hand:

  curl -s ${url}/s/pricing/mcp -H 'Authorization: Bearer ${token}' \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"double_price","arguments":{"price":45}}}'
`);
}

async function main() {
  const { child, ready, log } = startHost();
  const ended = new Promise((done) => child.on('close', done));
  const stop = () => child.exitCode ?? child.signalCode ?? child.kill('SIGTERM');
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  process.on('exit', stop); // also when something was thrown, or stdout closed
  try {
    const host = await ready;
    say(`the host listens on ${host.url}`);
    for (const server of new Set(calls.map(([one]) => one))) {
      await showServer(host.url, host.token, server);
    }
    await showAll(host.url, host.token);
    if (options.mode === 'demo') showQuarantine();
    sayHow(host);
    if (options.mode !== 'demo') say('Ctrl-C ends it. What follows is its log.\n');
    log.show();
  } catch (error) {
    stop();
    await ended;
    console.error(log.tail());
    throw error;
  }
  if (options.mode === 'demo') stop();
  await ended;
  say('stopped.');
}

try {
  await main();
} catch (error) {
  console.error(`run: ${error.message}`);
  process.exitCode = 1;
}
