// SPDX-License-Identifier: Apache-2.0

// Reads what `meson test` left in JUnit's form and prints "PASSED FAILED
// SKIPPED".

import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
let total = 0;
let failed = 0;
let skipped = 0;
for (const [suite] of text.matchAll(/<testsuite\s[^>]*>/g)) {
  const number = (name) =>
    Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  total += number('tests');
  failed += number('failures') + number('errors');
  skipped += number('skipped');
}
console.log(`${total - failed - skipped} ${failed} ${skipped}`);
