// SPDX-License-Identifier: Apache-2.0

// Remote servers of a whole host: the official SDKs out in the world, reached by
// the host's egress, as what was approved and no further.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { admin } from '../lib/boxes.mjs';
import { Host } from '../lib/host.mjs';
import { callTool } from '../lib/mcp.mjs';
import { patience } from '../lib/paths.mjs';
import { until } from '../lib/processes.mjs';
import { World } from '../lib/world.mjs';

const program = fileURLToPath(new URL('../conformance/serve-http.mjs', import.meta.url));
const WAIT = 20_000 * patience;

// What TLS is ended by, out there; the server behind it hears of its own host.
const handOn = (port) => String(({ request, response }) => {
  const headers = Object.fromEntries(Object.entries(request.headers)
    .filter(([name]) => name[0] !== ':' && name !== 'connection'));
  const inner = process.getBuiltinModule('node:http').request({ port: 0, host: '127.0.0.1',
    method: request.method, path: request.url,
    headers: { ...headers, host: 'localhost' } }, (answer) => {
    const back = Object.entries(answer.headers).filter(([name]) =>
      !['connection', 'keep-alive', 'transfer-encoding'].includes(name));
    response.writeHead(answer.statusCode, Object.fromEntries(back));
    response.flushHeaders?.();
    answer.pipe(response);
  });
  inner.on('error', () => response.destroy?.());
  response.on('close', () => inner.destroy());
  request.pipe(inner);
}).replace('port: 0', `port: ${port}`);

let world;
let host;

before(async () => {
  world = await World.start();
  for (const [era, address, h2] of [['modern', '45.83.7.1', true], ['legacy', '45.83.7.2', false]]) {
    const { said } = await world.program([process.execPath, program, era]);
    await world.name(`${era}.acme.net`, { a: [address] });
    await world.https(`${era}.acme.net`, { address, h2, handler: handOn(Number(said)) });
  }
  await world.name('inside.acme.net', { a: ['10.1.2.3'] });
  await world.https('inside.acme.net', { address: '10.1.2.3' });
  await world.site('turn.acme.net', '45.83.7.4', { handler: ({ response }) =>
    response.writeHead(307, { location: 'https://inside.acme.net/mcp' }).end() });
  host = await Host.start({ config: { ...world.config(), servers: {
    modern: { url: 'https://modern.acme.net/mcp' },
    inside: { url: 'https://inside.acme.net/mcp' },
    turn: { url: 'https://turn.acme.net/mcp' } } } });
});
after(async () => {
  const ended = await host?.stop();
  await world?.stop();
  assert.deepEqual([ended?.exit, ended?.left], [{ code: 0, signal: null }, []]);
});

const words = async (server, tool = 'test_simple_text') =>
  (await callTool(host, server, tool, {})).content[0].text;
const WORDS = 'This is a simple text response for testing.';

test('one of the settings answers, over HTTP/2', async () => {
  assert.equal(await words('modern'), WORDS);
  const seen = (await world.requests()).filter(({ name }) => name === 'modern.acme.net');
  assert.ok(seen.length > 0 && seen.every(({ url, version }) =>
    url === '/mcp' && version === '2.0'), JSON.stringify(seen));
});

test('one that is added is reached once it is approved, and not before', async () => {
  await world.forget();
  const added = await admin(host, 'POST', '/servers',
    { name: 'legacy', url: 'https://legacy.acme.net/mcp' });
  assert.equal(added.state, 'quarantined');
  await assert.rejects(words('legacy'));
  assert.deepEqual(await world.requests(), []);
  await admin(host, 'POST', '/servers/legacy/approve', { digest: added.digest });
  assert.equal(await words('legacy'), WORDS);
  const listed = await admin(host, 'GET', '/servers/legacy');
  assert.equal(listed.url, 'https://legacy.acme.net/mcp');
  await admin(host, 'POST', '/servers/legacy/restart');
  await until('its session to be ended', async () =>
    (await world.requests()).some(({ method }) => method === 'DELETE'), WAIT);
});

test('a name that leads inside is not dialled, a redirect there not followed', async () => {
  const control = await world.run(['curl', '-sk', 'https://inside.acme.net/text']);
  assert.equal(control.stdout, 'hello');
  await world.forget();
  await assert.rejects(words('inside'), /cannot be reached: .*10\.1\.2\.3/);
  await assert.rejects(words('turn'), /redirects to another place/);
  assert.deepEqual((await world.requests())
    .filter(({ name }) => name === 'inside.acme.net'), []);
});

test('egress ends in the middle: the next call has another', async () => {
  assert.equal(await words('modern'), WORDS);
  const [{ pid }] = host.processes('cordon-egress');
  process.kill(pid, 'SIGKILL');
  await until('another egress', () => host.processes('cordon-egress')
    .some((one) => one.pid !== pid), WAIT);
  await until('an answer', () => words('modern').then((said) => said === WORDS, () => false), WAIT);
});
