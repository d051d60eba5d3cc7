// SPDX-License-Identifier: Apache-2.0

// The fixture over stdin and stdout, one process a connection:
//
//     node stdio.mjs            both eras
//     node stdio.mjs legacy     as servers were before 2026-07-28
//     node stdio.mjs modern     2026-07-28 only

import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { makeServer } from './sdk.mjs';

const MODERN = '2026-07-28';
const era = process.argv[2] ?? 'both';

if (era === 'legacy') {
  const versions = SUPPORTED_PROTOCOL_VERSIONS.filter((one) => one < MODERN);
  await makeServer({ versions }).connect(new StdioServerTransport());
} else {
  serveStdio(() => makeServer(), { legacy: era === 'modern' ? 'reject' : 'serve' });
}
