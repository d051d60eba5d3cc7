// SPDX-License-Identifier: Apache-2.0
// Fetches of one URL by Node's own fetch (undici); prints one line of JSON.
//
//     fetch-node.mjs LANES CALLS SECONDS URL BYTES

import { summary } from './stats.mjs';

const url = process.argv[5];
const [lanes, n, time, , size] = process.argv.slice(2).map(Number);
const sample = [];
const began = performance.now();
const end = began + time * 1000;
let left = n;

async function lane() {
  while (left-- > 0 && performance.now() < end) {
    const start = performance.now();
    const response = await fetch(url);
    let got = 0;
    for await (const chunk of response.body) got += chunk.length;
    if (got !== size) throw new Error(`${got} bytes, not ${size}`);
    sample.push(performance.now() - start);
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
const took = (performance.now() - began) / 1000;
console.log(JSON.stringify({ ...summary(sample), perSecond: sample.length / took, failed: 0 }));
