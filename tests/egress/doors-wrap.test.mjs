// SPDX-License-Identifier: Apache-2.0

// The same for real: programs in the box of `cordon wrap --net`.

import '../lib/inside.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cordon } from '../lib/paths.mjs';
import { World } from '../lib/world.mjs';

let world;
before(async () => {
  world = await World.start();
  await world.site('api.acme.net', '45.83.7.1');
  await world.site('other.acme.net', '45.83.7.2');
  await world.name('echo.acme.net', { a: ['45.83.7.3'] });
  await world.tcp('echo.acme.net',
    { address: '45.83.7.3', port: 7000, say: 'hello', then: 'close' });
});
after(() => world.stop());

const wrap = (nets, ...words) => world.run([cordon, 'wrap',
  ...nets.flatMap((net) => ['--net', net]), '--', ...words],
{ timeout: 60_000 });

test('curl and Python in a box reach what is granted, by name or by proxy', async () => {
  const { stdout, stderr } = await wrap(['api.acme.net', 'echo.acme.net:7000'],
    'sh', '-c', `curl -sS --noproxy '*' https://api.acme.net/text?say=one,
      curl -sS --noproxy '*' http://api.acme.net/text?say=two,
      curl -sS https://api.acme.net/text?say=three,
      curl -sS -x socks5h://198.18.0.1:1080 https://api.acme.net/text?say=four,
      /usr/bin/python3 -c 'import urllib.request as u
print(u.urlopen("https://api.acme.net/text?say=five").read().decode(), end=",")'
      curl -sS --noproxy '*' telnet://echo.acme.net:7000 < /dev/null`);
  assert.equal(stdout, 'one,two,three,four,five,hello', stderr);
});

test('what is not granted fails, and the watcher says what would grant it', async () => {
  const { stdout, stderr } = await wrap(['https://api.acme.net'], 'sh', '-c',
    `curl -sS http://api.acme.net/
      curl -sS --noproxy '*' https://other.acme.net/
      curl -sS https://other.acme.net/; true`);
  assert.match(stdout, /^cordon: no rule allows http:\/\/api\.acme\.net/);
  assert.match(stderr, /CONNECT tunnel failed, response 403/);
  assert.match(stderr, /Could not resolve host: other\.acme\.net/);
  assert.match(stderr, /other\.acme\.net[\s\S]*--net/);
  assert.equal((await world.connections()).some(
    ({ name }) => name === 'other.acme.net'), false);
});
