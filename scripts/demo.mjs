// SPDX-License-Identifier: Apache-2.0

// What ./run shows: starts the host with the examples, drives a real MCP
// client through each of them, puts programs into boxes, then serves until
// Ctrl-C.
//
//     node scripts/demo.mjs --mode serve|demo --port N --servers DIR

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
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
const own = mkdtempSync(join(tmpdir(), 'cordon-demo-'));
process.on('exit', () => rmSync(own, { recursive: true, force: true }));
if (options.mode === 'demo') process.env.CORDON_STATE = join(own, 'state');

// A person's folder: what a server of notes may see of it, and what not.
const diary = join(own, 'diary.txt');
const notes = join(own, 'notes');
writeFileSync(diary, 'dear diary');
mkdirSync(notes);

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
    timer.unref(); // the host itself is what is waited for
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

// Runs cordon as a person would; what it says, and its exit code.
async function run(...words) {
  const shown = words.map((word) => word.replace(`${root}/`, '').replaceAll(own, '~'))
    .map((word) => /["{}]/.test(word) ? `'${word}'` : word).join(' ');
  say(`$ cordon ${shown}`);
  const child = spawn(cordon, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece) => { text += piece; });
  }
  const status = await new Promise((done) => child.on('close', done));
  text = text.trimEnd();
  for (const line of text.split('\n')) say(`  ${line.replaceAll(own, '~')}`);
  return { status, text };
}

function expect({ status, text }, words, code = 0) {
  if (words.test(text) && status === code) return;
  throw new Error(`not what was to come (exit ${status}): ${text}`);
}

// Any program, in a box: it sees what it is granted.
async function showWrap() {
  say('\na program in a box:');
  expect(await run('wrap', '--', 'cat', diary), /granted by --read/, 1);
  expect(await run('wrap', '--read', diary, '--', 'cat', diary), /^dear diary$/);
}

// What a program may reach is what its rules say, at addresses that lead
// outside; a service of one's own machine may be granted by name.
async function showEgress() {
  const service = createServer((request, response) => response.end('the service\n'));
  service.unref(); // what fails on the way ends the demonstration
  await new Promise((done) => service.listen(0, '127.0.0.1', done));
  const here = `localhost:${service.address().port}`;
  say('\nthe only way out:');
  expect(await run('wrap', '--net', here, '--', 'curl', '-sS', `http://${here}/`),
    /^the service$/);
  expect(await run('wrap', '--', 'curl', '-sS', `http://${here}/`),
    /curl: \(7\)/, 7);
  expect(await run('wrap', '--net', 'example.com', '--', 'curl', '-sS',
    'http://169.254.169.254/latest/meta-data/'), /never dialled: cloud metadata/);
  service.close();
}

// What a stranger sends is neither seen nor called before it is approved.
async function showQuarantine() {
  say('\na server that somebody sends:');
  expect(await run('upstream', 'add', 'stranger', resolve(root, 'examples/hello.js')),
    /is quarantined/);
  if (/stranger__/.test((await run('tools')).text)) throw new Error('it is seen already');
  expect(await run('upstream', 'approve', 'stranger'), /is approved/);
  expect(await run('call', 'stranger__hello', '{"name":"Ada"}'), /Hello, Ada!/);
  expect(await run('upstream', 'remove', 'stranger'), /removed/);
}

// A server that is a program of its own, and takes a name for a path: the hole
// is there, and nothing behind it.
async function showBox(url, token) {
  const program = resolve(root, 'examples/notes.py');
  say('\na program that is a server, in a box of its own:');
  expect(await run('upstream', 'add', 'notes', '--read', program, '--write', notes,
    '--', 'python3', program, notes), /writes .*\n(?:.*\n)* *network +none/);
  expect(await run('upstream', 'approve', 'notes'), /is approved/);
  const { value: client, ms } = await timed(() => connect(`${url}/s/notes/mcp`, token));
  say(`  connected to it, which started it, in ${ms.toFixed(1)} ms`);
  const call = async (name, args) => {
    const { value, ms: took } = await timed(() =>
      client.callTool({ name, arguments: args }));
    say(`  tools/call   ${name}(${JSON.stringify(args)})`);
    say(`               -> ${textOf(value).replaceAll(own, '~')}   (${took.toFixed(2)} ms)`);
    return value;
  };
  await call('add_note', { name: 'shopping', text: 'milk' });
  if (textOf(await call('read_note', { name: 'shopping' })) !== 'milk') {
    throw new Error('the note is not there');
  }
  if (readFileSync(join(notes, 'shopping.txt'), 'utf8') !== 'milk') {
    throw new Error('the note is not where it was granted');
  }
  if (!(await call('read_note', { name: '../diary' })).isError) {
    throw new Error('it read what it must not');
  }
  await client.close();
  expect(await run('upstream', 'logs', 'notes'), /refused: read .*diary\.txt/);
  expect(await run('upstream', 'remove', 'notes'), /removed/);
  await run('audit', 'tail', '-n', '4');
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

A server that is a program, in a box of its own:

  mkdir -p ~/notes
  ${cordon} upstream add notes --write ~/notes \\
    --read ${root}/examples/notes.py -- python3 ${root}/examples/notes.py ~/notes
  ${cordon} upstream approve notes

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
    await showWrap();
    await showEgress();
    if (options.mode === 'demo') {
      await showQuarantine();
      await showBox(host.url, host.token);
    }
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
