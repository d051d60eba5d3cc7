// SPDX-License-Identifier: Apache-2.0

// A client that says what it is told, byte for byte: run inside a box.
//
//     speak.mjs HOST PORT <<<'{"pieces": [hex…], "end": bool, "bytes": n}'
//
// Each piece leaves in a packet of its own. Prints what came back once the other
// side has closed, or `bytes` have come.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

const [host, port] = process.argv.slice(2);
const { pieces, end, bytes = Infinity } = JSON.parse(readFileSync(0));
const socket = connect({ host, port: Number(port), noDelay: true });
const heard = [];
let size = 0, error = null, isConnected = false, isDone = false;

function done() {
  if (isDone) return;
  isDone = true;
  process.stdout.write(JSON.stringify({ hex: Buffer.concat(heard).toString('hex'),
    error, isConnected }), () => process.exit(0));
}
socket.on('error', ({ code }) => { error = code; });
socket.on('close', done);
socket.on('data', (chunk) => {
  heard.push(chunk);
  size += chunk.length;
  if (size >= bytes) done();
});
socket.on('connect', async () => {
  isConnected = true;
  for (const piece of pieces) {
    if (socket.destroyed) return;
    await new Promise((sent) => socket.write(Buffer.from(piece, 'hex'), sent));
    await new Promise((next) => setTimeout(next, 1));
  }
  if (end) socket.end();
});
