// SPDX-License-Identifier: Apache-2.0

// The fixture over the SDK's own HTTP, as a program: prints its port.

import { serveHttp } from './http.mjs';

const { url } = await serveHttp({ era: process.argv[2] });
console.log(new URL(url).port);
