// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inside } from './harness.mjs';

test('Headers combines, sorts, and keeps cookies apart', async () => {
  const seen = await inside(() => {
    const headers = new Headers([['X-B', ' 1\t'], ['a', '2'], ['x-b', '3']]);
    headers.append('Set-Cookie', 'a=1');
    headers.append('set-cookie', 'b=2');
    headers.set('A', '9');
    return [[...headers], headers.get('X-b'), headers.getSetCookie(),
      headers.has('nope'), headers.get('nope'),
      [...new Headers(headers).keys()], [...new Headers({ c: 1 }).values()]];
  });
  assert.deepEqual(seen, [[['a', '9'], ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'], ['x-b', '1, 3']], '1, 3', ['a=1', 'b=2'], false,
  null, ['a', 'set-cookie', 'set-cookie', 'x-b'], ['1']]);
});

test('iterating Headers sees what changes meanwhile', async () => {
  const seen = await inside(() => {
    const headers = new Headers({ b: '1', c: '2' });
    const names = [];
    for (const pair of headers) {
      names.push(pair[0]);
      pair[1] = 'mine';
      if (names.length === 1)
        headers.set('d', '3');
      headers.delete('c');
    }
    return [names, [...headers]];
  });
  assert.deepEqual(seen, [['b', 'd'], [['b', '1'], ['d', '3']]]);
});

test('Headers refuses what would break a message', async () => {
  const seen = await inside(() => [['a b', 'x'], ['a', 'x\r\ny: z'],
    ['', 'x'], ['a', '語'], ['a', '\0']].map(([name, value]) => {
    try {
      new Headers().append(name, value);
      return 'taken';
    } catch (error) {
      return error.name;
    }
  }));
  assert.deepEqual(seen, Array(5).fill('TypeError'));
});

test('Request keeps, changes and copies its parts', async () => {
  const seen = await inside(async () => {
    const request = new Request('http://h/p?q#f', { method: 'post',
      body: 'hé', headers: { 'X-A': '1' } });
    const copy = request.clone();
    const derived = new Request(request, { headers: { b: '2' } });
    const types = await Promise.all(['text', new URLSearchParams('a=b'),
      new Blob(['x'], { type: 'image/png' }), new Uint8Array(1)].map((body) =>
      new Request('http://h', { method: 'PUT', body }).headers
        .get('content-type')));
    return [request.method, request.url, request.bodyUsed, copy.bodyUsed,
      await derived.text(), derived.headers.get('x-a'), await copy.text(),
      copy.headers.get('x-a'), copy.headers.get('content-type'), types,
      request.signal.aborted];
  });
  assert.deepEqual(seen, ['POST', 'http://h/p?q#f', true, false, 'hé', null,
    'hé', '1', 'text/plain;charset=UTF-8', ['text/plain;charset=UTF-8',
      'application/x-www-form-urlencoded;charset=UTF-8', 'image/png', null],
    false]);
});

test('Request refuses bad methods, URLs and bodies', async () => {
  const seen = await inside(() => [['http://h', { method: 'TRACE' }],
    ['http://h', { method: 'a b' }], ['/x'], ['http://u:p@h/'],
    ['http://h', { body: 'x' }], ['http://h', { method: 'HEAD', body: 'x' }]]
    .map((args) => {
      try {
        return new Request(...args).url;
      } catch (error) {
        return error.name;
      }
    }));
  assert.deepEqual(seen, Array(6).fill('TypeError'));
});

test('a body is read once, in any form', async () => {
  const seen = await inside(async () => {
    const of = () => new Response('{"a":"é"}');
    const response = of();
    await response.text();
    const again = await response.json().catch((error) => error.name);
    const used = response.bodyUsed;
    const bad = await new Response('{').json().catch((error) => error.name);
    return [await of().json(), [...await of().bytes()].length,
      (await of().arrayBuffer()).byteLength, (await of().blob()).size,
      again, used, bad, await new Response().text(),
      new Response().body, await new Response('\ufeffx').text()];
  });
  assert.deepEqual(seen, [{ a: 'é' }, 10, 10, 10, 'TypeError', true,
    'SyntaxError', '', null, 'x']);
});

test('a body becomes a stream when it is asked for, and locks', async () => {
  const seen = await inside(async () => {
    const response = new Response('abc');
    const { body } = response;
    const same = body === response.body;
    const reader = body.getReader();
    const { value } = await reader.read();
    const locked = await response.text().catch((error) => error.name);
    const streamed = new Response(new ReadableStream({ async start(controller) {
      controller.enqueue(new TextEncoder().encode('x'));
      await new Promise((resolve) => setTimeout(resolve, 3));
      controller.enqueue(new TextEncoder().encode('y'));
      controller.close();
    } }));
    const copy = streamed.clone();
    const wrong = await new Response(new ReadableStream({ start(controller) {
      controller.enqueue('text');
    } })).text().catch((error) => error.name);
    return [same, [...value], response.bodyUsed, locked, await streamed.text(),
      await copy.text(), wrong];
  });
  assert.deepEqual(seen, [true, [97, 98, 99], true, 'TypeError', 'xy', 'xy',
    'TypeError']);
});

test('Response checks its init and makes the special ones', async () => {
  const seen = await inside(async () => {
    const attempt = (run) => {
      try {
        return run();
      } catch (error) {
        return error.name;
      }
    };
    const json = Response.json({ a: 1 }, { status: 201 });
    const redirect = Response.redirect('http://h/x', 307);
    return [json.status, json.headers.get('content-type'), await json.json(),
      redirect.headers.get('location'), redirect.ok, Response.error().type,
      attempt(() => new Response('', { status: 99 })),
      attempt(() => new Response('x', { status: 204 })),
      attempt(() => new Response(null, { status: 204 }).status),
      attempt(() => Response.json(undefined)),
      attempt(() => Response.redirect('http://h', 200)),
      attempt(() => new Response(null, { statusText: 'a\nb' }))];
  });
  assert.deepEqual(seen, [201, 'application/json', { a: 1 }, 'http://h/x',
    false, 'error', 'RangeError', 'TypeError', 204, 'TypeError', 'RangeError',
    'TypeError']);
});

test('FormData survives a multipart round trip', async () => {
  const seen = await inside(async () => {
    const form = new FormData();
    form.append('text', 'line\r\né');
    form.append('na"me', 'quoted');
    form.append('file', new File([Uint8Array.of(0, 13, 10, 255)], 'ü.bin',
        { type: 'application/x-y' }));
    const request = new Request('http://h', { method: 'POST', body: form });
    const type = request.headers.get('content-type');
    const back = await request.formData();
    const file = back.get('file');
    return [type.startsWith('multipart/form-data; boundary='),
      back.get('text'), back.get('na"me'), file.name, file.type,
      [...await file.bytes()], [...back.keys()]];
  });
  assert.deepEqual(seen, [true, 'line\r\né', 'quoted', 'ü.bin',
    'application/x-y', [0, 13, 10, 255], ['text', 'na"me', 'file']]);
});

test('formData() takes urlencoded bodies, refuses the rest', async () => {
  const seen = await inside(async () => {
    const of = (body, type) => new Response(body,
        { headers: { 'content-type': type } }).formData()
      .then((form) => [...form], (error) => error.name);
    return [await of('a=1&b=%20', 'application/x-www-form-urlencoded'),
      await of('x', 'text/plain'), await of('x', 'multipart/form-data'),
      await of('--b\r\nno end', 'multipart/form-data; boundary=b'),
      await of('--b--', 'multipart/form-data; boundary=b')];
  });
  assert.deepEqual(seen, [[['a', '1'], ['b', ' ']], 'TypeError', 'TypeError',
    'TypeError', []]);
});

test('Blob cuts and reads', async () => {
  const seen = await inside(async () => {
    const blob = new Blob(['héllo', Uint8Array.of(33)], { type: 'Text/X' });
    const file = new File([blob], 'n.txt', { lastModified: 5 });
    return [blob.size, blob.type, await blob.slice(-2).text(),
      await blob.slice(0, 1, 'a/b').text(), file.name, file.lastModified,
      file instanceof Blob, await new Response(blob.stream()).text()];
  });
  assert.deepEqual(seen, [7, 'text/x', 'o!', 'h', 'n.txt', 5, true, 'héllo!']);
});

test('fetch says that no egress is granted', async () => {
  const seen = await inside(async () => {
    const failed = (promise) => promise.then(() => 'fetched',
        (error) => [error.name, error.message]);
    return [await failed(fetch('https://example.com/x')),
      await failed(fetch('nonsense')),
      (await failed(fetch('http://h', { signal: AbortSignal.abort() })))[0]];
  });
  assert.equal(seen[0][0], 'TypeError');
  assert.match(seen[0][1], /no egress is granted .* example\.com/);
  assert.equal(seen[1][0], 'TypeError');
  assert.equal(seen[2], 'AbortError');
});
