// SPDX-License-Identifier: Apache-2.0

import { Request } from './request.js';

/** There is no way out yet: says so, after the checks that fetch makes. */
export async function fetch(input, init = undefined) {
  const request = new Request(input, init);
  request.signal.throwIfAborted();
  const host = /^[^/]*\/\/([^/?#]*)/.exec(request.url)?.[1] ?? request.url;
  throw new TypeError(`fetch: no egress is granted to this server: the ` +
      `request to ${host} was not made`);
}
