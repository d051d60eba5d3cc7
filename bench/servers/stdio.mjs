// SPDX-License-Identifier: Apache-2.0
// The tiny tool as an official-SDK server on stdio, for gateways to wrap.
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { tinyServer } from './tiny.mjs';

await tinyServer().connect(new StdioServerTransport());
