// SPDX-License-Identifier: Apache-2.0
// The programs that npm packages ship. Their install scripts are not run, so
// each is found where its platform package puts it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ARCH = { x64: { workerd: '64', node: 'x64' }, arm64: { workerd: 'arm64', node: 'arm64' } }[process.arch];

const PLACES = {
  node: `../../node_modules/node-linux-${ARCH?.node}/bin/node`,
  deno: `../node_modules/@deno/linux-${process.arch}-glibc/deno`,
  workerd: `../node_modules/@cloudflare/workerd-linux-${ARCH?.workerd}/bin/workerd`,
};

export function binary(name) {
  const path = fileURLToPath(new URL(PLACES[name], import.meta.url));
  if (!existsSync(path)) throw new Error(`${name} has no binary for ${process.arch} in node_modules`);
  return path;
}
