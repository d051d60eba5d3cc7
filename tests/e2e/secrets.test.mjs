// SPDX-License-Identifier: Apache-2.0

// A secret's whole way, through a real host: typed, sealed, kept, put into a
// tool's request, taken out of its answer; and nowhere else to be found.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Host } from '../lib/host.mjs';
import { callTool, valueOf } from '../lib/mcp.mjs';
import { cordon } from '../lib/paths.mjs';
import { treeOf, until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const VALUE = 'sk-the-whole-way-0123456789';
const VAULT_KEY = Buffer.alloc(32, 7).toString('base64');

const asker = `
async function run({ url, headers }) {
  try {
    const response = await fetch(url, { headers });
    return { status: response.status, text: await response.text(),
      headers: [...response.headers] };
  } catch (error) {
    return { error: String(error) };
  }
}`;

let world;
let host;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.acme.net', '45.83.7.2');
  process.env.CORDON_VAULT_KEY = VAULT_KEY;
  const network = { allowedDomains: ['*.acme.net'] };
  host = await Host.start({ files: { 'asker.js': asker, 'other.js': asker },
    config: { ...world.config(), servers: { asker: { network }, other: { network } } } });
  delete process.env.CORDON_VAULT_KEY;
});
after(async () => {
  await host?.stop();
  await world?.stop();
});

// `cordon WORDS` of this host; its answer.
const run = (words, input = '') => new Promise((done) => {
  const child = spawn(cordon, words,
    { env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => { said += bytes; });
  child.on('close', (code) => done({ code, said }));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
});

const ask = async (server, url, headers) =>
  valueOf(await callTool(host, server, server, { url, headers }));

test('what is set is put in, and does not come back', async () => {
  const without = await ask('asker', 'https://api.acme.net/echo',
    { authorization: 'Bearer mine' });
  assert.match(without.text ?? without.error, /Bearer mine/, 'control: the tool\'s own goes');

  const { code, said } = await run(['secret', 'set', 'KEY', '--for', 'asker', '--host',
    'api.acme.net'], `${VALUE}\n`);
  assert.equal(code, 0, said);
  await world.forget();
  const { text } = await ask('asker', 'https://api.acme.net/echo',
    { authorization: 'Bearer mine' });
  const [{ headers }] = await world.requests();
  assert.ok(headers.includes(`Bearer ${VALUE}`), 'the origin has it');
  assert.ok(!headers.includes('Bearer mine'));
  assert.ok(!text.includes(VALUE));
  assert.match(text, /Bearer \*{27}/);
});

test('another host and another server do not get it', async () => {
  await world.forget();
  await ask('asker', 'https://other.acme.net/echo');
  await ask('asker', 'http://api.acme.net/echo');
  await ask('other', 'https://api.acme.net/echo');
  const seen = await world.requests();
  assert.equal(seen.length, 3);
  assert.ok(!JSON.stringify(seen).includes(VALUE));
  const refused = await ask('asker', 'https://other.acme.net/echo',
    { authorization: 'Bearer cordon-secret-KEY' });
  assert.match(refused.error, /placeholder of the secret 'KEY'.*https:\/\/api\.acme\.net:443/);
});

test('a new value takes effect at once, and a removal', async () => {
  const changed = await run(['secret', 'set', 'KEY', '--for', 'asker', '--host',
    'api.acme.net'], 'the-next-value');
  assert.match(changed.said, /has the new value/);
  await world.forget();
  await ask('asker', 'https://api.acme.net/text');
  assert.match(JSON.stringify(await world.requests()), /Bearer the-next-value/);
  const removed = await run(['secret', 'rm', 'KEY', '--for', 'asker']);
  assert.equal(removed.code, 0, removed.said);
  await until('it to be gone', async () => {
    await world.forget();
    await ask('asker', 'https://api.acme.net/text');
    return !JSON.stringify(await world.requests()).includes('the-next-value');
  });
});

test('on a terminal it is asked for, and not shown', async () => {
  const child = spawn('python3', [join(import.meta.dirname, '../proc/in-terminal.py'), cordon,
    'secret', 'set', 'TYPED', '--for', 'asker', '--host', 'other.acme.net'],
  { env: { ...process.env, CORDON_STATE: join(host.folder, 'state') } });
  let shown = '';
  child.stdout.on('data', (bytes) => { shown += bytes; });
  const ended = new Promise((done) => child.on('close', done));
  await until('the question', () => {
    assert.equal(child.exitCode, null, shown);
    return shown.includes('it is not shown');
  });
  for (const { pid, name } of treeOf(child.pid).slice(1))
    assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'),
      /^Max core file size +1 +1 /m, `${name}, which reads it`);
  child.stdin.write('typed-in-secret\n');
  assert.equal(await ended, 0, shown);
  assert.match(shown, /TYPED is set/);
  assert.doesNotMatch(shown, /typed-in/);
  await world.forget();
  await ask('asker', 'https://other.acme.net/text');
  assert.match(JSON.stringify(await world.requests()), /Bearer typed-in-secret"/);
});

test('it lies nowhere: database, state, log, audit, arguments, environments', async () => {
  const set = await run(['secret', 'set', 'KEY', '--for', 'asker', '--host',
    'api.acme.net'], VALUE);
  assert.equal(set.code, 0, set.said);
  await ask('asker', 'https://api.acme.net/echo');
  const places = [host.log.join('\n'), (await run(['audit', 'tail', '--json'])).said,
    (await run(['secret', 'list', '--json'])).said];
  for (const folder of ['state', 'state/store'])
    for (const entry of readdirSync(join(host.folder, folder), { withFileTypes: true }))
      if (entry.isFile())
        places.push(readFileSync(join(host.folder, folder, entry.name), 'latin1'));
  let processes = 0;
  host.tree.look();
  for (const { pid } of host.tree.seen()) {
    try {
      places.push(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      places.push(readFileSync(`/proc/${pid}/environ`, 'latin1'));
      const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
      const title = readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
      if (['cordon-store', 'cordon-egress'].includes(title)) {
        processes++;
        assert.match(limits, /^Max core file size +0 +0/m, title);
        const status = readFileSync(`/proc/${pid}/status`, 'latin1');
        const [, locked] = /^VmLck:\s+(\d+) kB$/m.exec(status);
        const [, most] = /^Max locked memory +(\w+)/m.exec(limits);
        assert.ok(Number(locked) > 0 || most === '0', `${title} locks ${locked} kB of ${most}`);
      }
    } catch (error) {
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) throw error;
    }
  }
  assert.equal(processes, 2, 'store and egress were looked at');
  assert.match(readFileSync(`/proc/${host.child.pid}/limits`, 'latin1'),
    /^Max core file size +1 +1 /m, 'who holds $CORDON_VAULT_KEY: not into a pipe either');
  const all = places.join('\n');
  assert.match(all, /api\.acme\.net/, 'control: what it is bound to is there');
  for (const one of [VALUE, 'the-next-value', VAULT_KEY,
    Buffer.from(VAULT_KEY, 'base64').toString('latin1')])
    for (const spelt of [one, Buffer.from(one, 'latin1').toString('base64').slice(0, 16),
      Buffer.from(one, 'latin1').toString('hex')])
      assert.ok(!all.includes(spelt), `${one.slice(0, 12)} is there`);
});
