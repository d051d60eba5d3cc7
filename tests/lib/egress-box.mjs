// SPDX-License-Identifier: Apache-2.0

// The network of a box, served by a real cordon-egress, and nothing else of a
// box: programs run in its network namespace with its resolv.conf, so that what
// they meet is what comes out of boxes (src/egress/doors).
//
//   const box = await Box.open(egress, world, 7, { ports: [80, 443] });
//   await box.run(['curl', '-s', 'https://api.acme.net/echo']);
//   await box.end();

import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SELF = '198.18.0.1';
export const PROXY = `http://${SELF}:3128`;
export const SOCKS = `${SELF}:1080`;

export class Box {
  static #count = 0;

  static async open(egress, world, id,
    { ports = [80, 443], addresses = [], number = 1 } = {}) {
    const box = new Box();
    Object.assign(box, { egress, world, id });
    const sorted = (list) => list.length === 0 ? '-' : list.join(',');
    box.pid = Number((await egress.tell('box', id, number,
      sorted(ports.toSorted((a, b) => a - b)), sorted(addresses)))
      .split(' ')[1]);
    box.resolv = join(world.folder, `resolv-${++Box.#count}.conf`);
    writeFileSync(box.resolv, `nameserver ${SELF}\n`);
    box.target = realpathSync('/etc/resolv.conf');
    return box;
  }

  // The words that run a program in there.
  words(words) {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, 'unshare', '--mount',
      'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"',
      this.resolv, this.target, ...words];
  }

  run(words, options) {
    return this.world.run(this.words(words), options);
  }

  end() {
    return this.egress.tell('unbox', this.pid);
  }
}
