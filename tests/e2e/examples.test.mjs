// SPDX-License-Identifier: Apache-2.0

// examples/recipes.js, as it is, with the official client of either era: a
// call that asks the user and reports progress, prompts, resources by
// template, completions, arguments that do not fit.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client, StreamableHTTPClientTransport }
  from '@modelcontextprotocol/client';
import { Host } from '../lib/host.mjs';
import { root } from '../lib/paths.mjs';

const example = readFileSync(resolve(root, 'examples/recipes.js'), 'utf8');
const GUESTS = 8;

let host;

before(async () => {
  host = await Host.start({ files: { 'recipes.js': example } });
});

after(() => host?.stop());

async function connect(mode, capabilities, answer) {
  const client = new Client({ name: 'test', version: '1' },
    { capabilities, versionNegotiation: { mode } });
  if (answer) client.setRequestHandler('elicitation/create', answer);
  await client.connect(new StreamableHTTPClientTransport(
    new URL(`${host.url}/s/recipes/mcp`),
    { requestInit: { headers: { authorization: `Bearer ${host.token}` } } }));
  return client;
}

const dinner = { name: 'plan_dinner', arguments: { dishes: ['soup', 'bread'] } };

for (const mode of ['legacy', 'auto']) {
  describe(`recipes, by a client that is ${mode}`, () => {
    let client;
    let asked = 0;

    before(async () => {
      client = await connect(mode, { elicitation: { form: {} } }, ({ params }) => {
        asked++;
        assert.equal(params.message, 'For how many guests?');
        return { action: 'accept', content: { guests: GUESTS } };
      });
    });

    after(() => client?.close());

    test('a call asks the user in its middle, and reports progress', async () => {
      const heard = [];
      // The client itself reports each round of questions, without a total.
      const onprogress = ({ progress, total }) => {
        if (total !== undefined) heard.push([progress, total]);
      };
      const { structuredContent } = await client.callTool(dinner, { onprogress });
      assert.equal(structuredContent.guests, GUESTS);
      assert.equal(asked, 1);
      assert.deepEqual(heard, [[0, 2], [1, 2], [2, 2]]);
    });

    test('who cannot be asked is not', async () => {
      const silent = await connect(mode, {});
      const { structuredContent } = await silent.callTool(dinner);
      assert.equal(structuredContent.guests, 4);
      await silent.close();
    });

    test('arguments that do not fit are a tool error with the place', async () => {
      const { isError, content } = await client.callTool({ name: 'scale',
        arguments: { dish: 'soup', guests: 'many' } });
      assert.equal(isError, true);
      assert.match(content[0].text, /\/guests must be an integer, but is a string/);
    });

    test('prompts, resources and completions', async () => {
      const { messages } = await client.getPrompt(
        { name: 'cook', arguments: { dish: 'salad' } });
      assert.match(messages[0].content.text, /how to cook salad/);
      const { resourceTemplates } = await client.listResourceTemplates();
      assert.equal(resourceTemplates[0].uriTemplate, 'recipes://dish/{dish}');
      const { contents } = await client.readResource(
        { uri: 'recipes://dish/bread' });
      assert.equal(JSON.parse(contents[0].text).serves, 8);
      const { completion } = await client.complete({
        ref: { type: 'ref/resource', uri: 'recipes://dish/{dish}' },
        argument: { name: 'dish', value: 's' } });
      assert.deepEqual(completion.values, ['soup', 'salad']);
    });
  });
}
