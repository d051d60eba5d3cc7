// SPDX-License-Identifier: Apache-2.0

// What attacks on egress share: a world, a real egress, and the victims.

import '../lib/inside.mjs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { Egress } from '../lib/egress.mjs';
import { World } from '../lib/world.mjs';

export { World } from '../lib/world.mjs';
export { Egress } from '../lib/egress.mjs';

export const PLENTY = { perMinute: 1e6, perCaller: 1e6, open: 64 };
export const CREDENTIALS = 'AKIA-THE-CROWN-JEWELS';

// A world with one allowed site, and everything else listening too.
export async function stage({ rules = ['api.acme.net'], more = {},
  denied, isEverywhere = false } = {}) {
  const world = await World.start();
  try {
    if (isEverywhere) {
      await everywhere(world);
      await world.name('api.acme.net', { a: ['45.83.7.1'] });
    } else {
      await world.site('api.acme.net', '45.83.7.1');
    }
    const egress = await Egress.start(world, { denied });
    await egress.server(1, { rules, budget: PLENTY, ...more });
    return { world, egress,
      async end() {
        await egress.stop();
        await world.stop();
      } };
  } catch (error) {
    await world.stop();
    throw error;
  }
}

// Whatever is dialled at port 80 of any address answers with credentials, but
// the allowed site's.
const everywhere = (world) => world.http('any', { address: '::',
  handler: ({ connection, response, words, pages, ...rest }) => {
    if (connection.address === '45.83.7.1') {
      return pages[rest.request.url.split('/')[1].split('?')[0] || 'text'](
        { connection, response, words, pages, ...rest });
    }
    return response.end('AKIA-THE-CROWN-JEWELS');
  } });

// A service on the inside's own loopback, and what reached it.
export async function loopback(port = 80) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.url);
    response.end(CREDENTIALS);
  });
  server.on('connection', (socket) => seen.push(socket.remoteAddress));
  await new Promise((done) => server.listen(port, '::', done));
  return { seen, close: () => new Promise((done) => {
    server.closeAllConnections();
    server.close(done);
  }) };
}

// Whether a plain connection leads anywhere.
export const reaches = (host, port = 80) => new Promise((done) => {
  const socket = connect({ host, port });
  socket.setTimeout(2000, () => socket.destroy());
  socket.on('connect', () => {
    done(true);
    socket.destroy();
  });
  socket.on('error', () => done(false)).on('close', () => done(false));
});
