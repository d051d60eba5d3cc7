// SPDX-License-Identifier: Apache-2.0

// A file as a C array of characters, NUL-terminated.
//
//     node scripts/embed.mjs FILE OUT.c SYMBOL HEADER

import { readFileSync, writeFileSync } from 'node:fs';

const [file, out, symbol, header] = process.argv.slice(2);
const lines = [];
const bytes = [...readFileSync(file), 0];
for (let at = 0; at < bytes.length; at += 16) {
  lines.push(`\t${bytes.slice(at, at + 16).join(', ')},`);
}
writeFileSync(out, `#include "${header}"

const char ${symbol}[] = {
${lines.join('\n')}
};
`);
