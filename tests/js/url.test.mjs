// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inside } from './harness.mjs';

const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host',
  'hostname', 'port', 'pathname', 'search', 'hash'];

const partsOf = (url) => Object.fromEntries(PARTS.map((p) => [p, url[p]]));

test('cuts every part out of an href as Node does', async () => {
  const hrefs = ['https://user:pass@example.com:1234/foo/bar?baz#quux',
    'http://example.com', 'https://u@h/', 'https://:p@h/', 'file:///etc/x',
    'mailto:a@b?subject=c', 'data:text/plain,hi#f', 'http://[::1]:80/?#',
    'blob:https://a.b/c', 'web+demo:/.//not-a-host/', 'ws://h:81/x?',
    'http://EXAMPLE.com/a/../b/%7Efoo', 'foo://host:99/p', 'http://ü.de/é?ü#é'];
  const seen = await inside(`() => {
    const parts = ${JSON.stringify(PARTS)};
    return ${JSON.stringify(hrefs)}.map((href) => {
      const url = new URL(href);
      return Object.fromEntries(parts.map((p) => [p, url[p]]));
    });
  }`);
  assert.deepEqual(seen, hrefs.map((href) => partsOf(new URL(href))));
});

test('setters change what they name, and refuse quietly', async () => {
  const seen = await inside(() => {
    const url = new URL('http://a.example/x?y#z');
    url.port = '8080';
    url.pathname = '/p q';
    url.search = 'k=v';
    url.hash = '';
    url.username = 'me';
    url.hostname = 'b.example';
    url.protocol = 'nonsense!';
    let failed = false;
    try {
      url.href = 'not a url';
    } catch (error) {
      failed = error instanceof TypeError;
    }
    return [url.href, failed, JSON.stringify({ url })];
  });
  assert.deepEqual(seen, ['http://me@b.example:8080/p%20q?k=v', true,
    '{"url":"http://me@b.example:8080/p%20q?k=v"}']);
});

test('searchParams and search follow one another', async () => {
  const seen = await inside(() => {
    const url = new URL('http://h/?a=1&b=2&a=3');
    const { searchParams } = url;
    searchParams.append('c', 'ä &+');
    const first = url.href;
    searchParams.delete('a');
    const second = url.search;
    url.search = '?z=%F0%9F%92%A9';
    return [first, second, searchParams.get('z'), searchParams === url.searchParams,
      searchParams.size];
  });
  assert.deepEqual(seen, ['http://h/?a=1&b=2&a=3&c=%C3%A4+%26%2B',
    '?b=2&c=%C3%A4+%26%2B', '💩', true, 1]);
});

test('URLSearchParams parses and serialises as the standard says', async () => {
  const texts = ['a=b&c=d', '?a=%zz&b=%41%', 'a+b=c%20d', '&&a&=x&', 'a=b=c',
    'q=%C3%A9&bad=%FF%FE', "x=!'()~*-._"];
  const seen = await inside(`() => ${JSON.stringify(texts)}.map((text) => {
    const params = new URLSearchParams(text);
    return [[...params], params.toString()];
  })`);
  assert.deepEqual(seen, texts.map((text) => {
    const params = new URLSearchParams(text);
    return [[...params], params.toString()];
  }));
});

test('URLSearchParams takes pairs and records, sorts and filters', async () => {
  const seen = await inside(() => {
    const params = new URLSearchParams([['b', 1], ['a', 2], ['b', 3]]);
    params.sort();
    params.set('b', 'x');
    const record = new URLSearchParams({ q: 'é', n: 1 });
    let failed;
    try {
      new URLSearchParams([['only']]);
    } catch (error) {
      failed = error.name;
    }
    return [`${params}`, `${record}`, params.has('a', '2'),
      params.has('a', '3'), failed, [...new URLSearchParams(params)]];
  });
  assert.deepEqual(seen, ['a=2&b=x', 'q=%C3%A9&n=1', true, false, 'TypeError',
    [['a', '2'], ['b', 'x']]]);
});

test('an invalid URL says which', async () => {
  const seen = await inside(() => {
    try {
      return new URL('/relative').href;
    } catch (error) {
      return [error.name, error.message, URL.canParse('/x', 'http://h'),
        URL.parse('nope')];
    }
  });
  assert.deepEqual(seen, ['TypeError', 'Invalid URL: /relative', true, null]);
});

test('URLPattern matches groups', async () => {
  const seen = await inside(() => {
    const pattern = new URLPattern({ pathname: '/books/:id(\\d+)' });
    return [pattern.test('http://h/books/12'), pattern.test('http://h/books/x'),
      pattern.exec('http://h/books/12').pathname.groups.id];
  });
  assert.deepEqual(seen, [true, false, '12']);
});
