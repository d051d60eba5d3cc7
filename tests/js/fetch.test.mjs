// SPDX-License-Identifier: Apache-2.0
// fetch() against an egress that Node plays, frame by frame.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { FakeEgress } from './egress.mjs';
import { evaluate, finish, inside, newCell } from './harness.mjs';

const WINDOW = 256 << 10;
const ROOM_MAX = 1 << 20; // of what is large

/** Runs `fn` in a cell whose origin is `answer`; what it returned, and egress. */
async function fetching(answer, fn, options) {
  const egress = new FakeEgress(answer, options);
  const value = await inside(fn, newCell(egress));
  return { value, egress, seen: egress.seen };
}

test('a request says what it is, and an answer too', async () => {
  const { value, seen } = await fetching((request) => request.answer(201,
      { 'Content-Type': 'text/plain', 'Set-Cookie': ['a=1', 'b=2'] }, 'hé'),
  async () => {
    const response = await fetch('HTTPS://Example.com/a b?q=1#part');
    return [response.status, response.ok, response.type, response.url,
      response.redirected, response.headers.get('content-type'),
      response.headers.getSetCookie(), response.bodyUsed,
      await response.text(), response.bodyUsed, response.body.locked];
  });
  assert.deepEqual(value, [201, true, 'basic',
    'https://example.com/a%20b?q=1', false, 'text/plain', ['a=1', 'b=2'],
    false, 'hé', true, false]);
  assert.equal(seen[0].method, 'GET');
  assert.equal(seen[0].url, 'https://example.com/a%20b?q=1');
  assert.deepEqual(seen[0].headers, { 'accept': '*/*', 'user-agent': 'cordon',
    'accept-encoding': 'gzip, deflate' });
  assert.equal(seen[0].hasBody, false);
});

test('what is the transport\'s to say is passed over', async () => {
  const { seen } = await fetching((request) => request.answer(204), async () => {
    await fetch('http://h', { headers: { 'Host': 'evil', 'Connection': 'close',
      'Content-Length': '9', 'Transfer-Encoding': 'chunked', 'TE': 'trailers',
      'Upgrade': 'h2c', 'Proxy-Authorization': 'x', 'Keep-Alive': '1',
      'Cookie': 'a=b', 'Authorization': 'Bearer t', 'Accept': 'text/html',
      'User-Agent': 'mine', 'Accept-Encoding': 'identity' } });
    await fetch('http://h', { headers: { range: 'bytes=0-1' } });
  });
  assert.deepEqual(seen[0].headers, { 'cookie': 'a=b',
    'authorization': 'Bearer t', 'accept': 'text/html', 'user-agent': 'mine',
    'accept-encoding': 'identity' });
  assert.equal(seen[1].headers['accept-encoding'], 'identity');
});

test('bodies of every kind go out, with their length and type', async () => {
  const { seen } = await fetching((request) => request.answer(204), async () => {
    const form = new FormData();
    form.append('f', new File(['x'], 'n.txt', { type: 'text/x' }));
    const bodies = ['hé', new Uint8Array([1, 2, 255]), new ArrayBuffer(2),
      new Blob(['bb'], { type: 'image/png' }), new URLSearchParams('a=ä'), form,
      ''];
    for (const body of bodies)
      await fetch('http://h', { method: 'POST', body });
    await fetch(new Request('http://h', { method: 'PUT', body: 'r' }));
  });
  await Promise.all(seen.map((request) => request.whole));
  assert.deepEqual(seen.map(({ headers }) => headers['content-length']),
      ['3', '3', '2', '2', '8', `${seen[5].text.length}`, '0', '1']);
  assert.deepEqual(seen.map(({ headers }) =>
    headers['content-type']?.replace(/boundary=.*/, 'boundary')),
  ['text/plain;charset=UTF-8', undefined, undefined, 'image/png',
    'application/x-www-form-urlencoded;charset=UTF-8',
    'multipart/form-data; boundary', 'text/plain;charset=UTF-8',
    'text/plain;charset=UTF-8']);
  assert.deepEqual(seen.map(({ text }) => text).filter((_, i) => i !== 5),
      ['hÃ©', '\x01\x02\xff', '\0\0', 'bb', 'a=%C3%A4', '', 'r']);
  assert.match(seen[5].text, /filename="n\.txt"\r\nContent-Type: text\/x/i);
});

test('a large body waits for room', async () => {
  let most = 0;
  const { value, seen } = await fetching((request) => {
    request.onBody = (length) => {
      most = Math.max(most, request.given);
      if (request.given < WINDOW)
        return;
      request.given -= WINDOW;
      request.grant(WINDOW);
    };
    request.whole.then(() => request.answer(200, {}, `${
      Buffer.concat(request.body).length}`));
  }, async () => {
    const response = await fetch('http://h', { method: 'POST',
      body: new Uint8Array(1000000) });
    return response.text();
  });
  assert.equal(value, '1000000');
  assert.ok(most <= WINDOW, `${most}`);
  assert.ok(seen[0].body.every((piece) => piece.length <= 64 << 10));
});

test('room that comes behind the end of a body changes nothing', async () => {
  const { value } = await fetching((request) => {
    request.whole.then(() => {
      request.grant(2);
      setImmediate(() => request.answer(200, {}, request.text));
    });
  }, async () => {
    const body = new Blob(['ab']).stream();
    return [await (await fetch('http://h', { method: 'POST', body: 'ab' }))
      .text(), await (await fetch('http://h', { method: 'POST', body }))
      .text()];
  });
  assert.deepEqual(value, ['ab', 'ab']);
});

test('a stream goes out as it is read, and no further', async () => {
  const { value, seen } = await fetching((request) => {
    request.onBody = () => {
      if (request.text === 'one')
        request.head(200);
    };
    request.whole.then(() => request.data(request.text).end());
  }, async () => {
    let controller;
    const body = new ReadableStream({ start(given) { controller = given; } });
    const encoder = new TextEncoder();
    controller.enqueue(encoder.encode('one'));
    const response = await fetch('http://h', { method: 'POST', body,
      duplex: 'half' });
    controller.enqueue(encoder.encode('two'));
    controller.close();
    return response.text();
  });
  assert.equal(value, 'onetwo');
  assert.equal(seen[0].headers['content-length'], undefined);
});

test('a stream that is not of bytes, or fails, fails the fetch', async () => {
  const { value, seen } = await fetching(() => {}, async () => {
    const failed = async (source) => fetch('http://h', { method: 'POST',
      body: new ReadableStream(source), duplex: 'half' })
      .catch((error) => `${error.name}: ${error.message}`);
    return [await failed({ start(controller) { controller.enqueue('x'); } }),
      await failed({ pull() { throw new RangeError('mine'); } })];
  });
  assert.deepEqual(value, ['TypeError: fetch: the body\'s stream gave a chunk ' +
    'that is not a Uint8Array', 'RangeError: mine']);
  assert.deepEqual(seen.map(({ isCancelled }) => isCancelled), [true, true]);
});

test('an answer comes as it is read: room is told, and never too much',
    async () => {
      const total = 2000000;
      let sent = 0;
      let least = WINDOW;
      let most = 0;
      const { value } = await fetching((request) => {
        request.head(200);
        const send = () => {
          while (sent < total && request.room >= 60000) {
            const length = Math.min(60000, total - sent);
            sent += length;
            request.data(new Uint8Array(length).fill(sent % 251));
            least = Math.min(least, request.room);
          }
          assert.ok(request.room <= (sent > ROOM_MAX ? ROOM_MAX : WINDOW));
          most = Math.max(most, request.room);
          if (sent === total && !request.isOver) {
            request.isOver = true;
            request.end();
          }
        };
        request.onRoom = send;
        send();
      }, async () => {
        const response = await fetch('http://h');
        await new Promise((resolve) => setTimeout(resolve, 30));
        let length = 0;
        for await (const piece of response.body)
          length += piece.length;
        return length;
      });
      assert.equal(value, total);
      assert.ok(least >= 0);
      assert.ok(most > WINDOW, 'large ones get more');
    });

test('nobody reads: no more than the window is sent', async () => {
  const { egress } = await fetching((request) => {
    request.head(200);
    while (request.room >= 64 << 10)
      request.data(new Uint8Array(64 << 10));
  }, async () => {
    const response = await fetch('http://h');
    await new Promise((resolve) => setTimeout(resolve, 20));
    return response.status;
  });
  assert.equal(egress.seen[0].room, 0);
});

test('byob readers, tee and clone see the same bytes', async () => {
  const { value } = await fetching((request) =>
    request.answer(200, {}, 'abcdef'), async () => {
    const reader = (await fetch('http://h')).body.getReader({ mode: 'byob' });
    const first = await reader.read(new Uint8Array(4));
    const second = await reader.read(new Uint8Array(4));
    const last = await reader.read(new Uint8Array(4));
    const response = await fetch('http://h');
    const copy = response.clone();
    return [[...first.value], [...second.value], last.done,
      await response.text(), await copy.text(), copy.url, copy.type];
  });
  assert.deepEqual(value, [[97, 98, 99, 100], [101, 102], true, 'abcdef',
    'abcdef', 'http://h/', 'basic']);
});

test('an answer is handed on as it is', async () => {
  const { value } = await fetching((request) => request.head(200)
    .data('a').data('b').end(), async () => {
    const response = await fetch('http://h');
    return new Response(response.body, response).text();
  });
  assert.equal(value, 'ab');
});

test('a failure is a TypeError that says why, before and in the answer',
    async () => {
      const { value } = await fetching((request) => {
        if (request.url.endsWith('/cut'))
          request.head(200).data('half').fail('CUT', 'the origin closed');
        else
          request.fail('NO_RULE', 'no rule allows https://h/');
      }, async () => {
        const shown = (error) => [error.name, error.message, error.cause.code,
          error.cause.message];
        const first = await fetch('https://h/').catch(shown);
        const response = await fetch('https://h/cut');
        const second = await response.text().catch(shown);
        const streamed = await fetch('https://h/cut');
        const reader = streamed.body.getReader();
        const piece = await reader.read();
        return [first, second, piece.value.length,
          (await reader.read().catch(shown))[2]];
      });
      assert.deepEqual(value, [['TypeError',
        'fetch failed: no rule allows https://h/', 'NO_RULE',
        'no rule allows https://h/'], ['TypeError',
        'fetch failed: the origin closed', 'CUT', 'the origin closed'], 4,
      'CUT']);
    });

test('without a way out, or a call, it says what to do', async () => {
  const sentences = [];
  for (const state of [2, 3, 4]) {
    const egress = new FakeEgress(() => {});
    egress.state = state;
    sentences.push(await inside(() => fetch('https://api.example:8443/x')
      .catch((error) => `${error.cause.code} ${error.message}`),
    newCell(egress)));
  }
  assert.match(sentences[0], /^NO_EGRESS .*--net api\.example:8443/);
  assert.match(sentences[1], /^NO_CALL .*only during a call/);
  assert.match(sentences[2], /^INTERNAL /);
});

test('only http and https, and no integrity that nobody checks', async () => {
  const { value, seen } = await fetching(() => {}, async () => {
    const failed = [];
    for (const args of [['ftp://h/'], ['file:///etc/passwd'], ['data:,x'],
      ['http://h', { integrity: 'sha256-x' }], ['http://u:p@h/'], ['/rel']])
      failed.push(await fetch(...args).catch((error) => error.name));
    return failed;
  });
  assert.deepEqual(value, Array(6).fill('TypeError'));
  assert.equal(seen.length, 0);
});

test('abort: before, while it is under way, and in the answer', async () => {
  const { value, seen } = await fetching((request) => {
    if (!request.url.endsWith('/stall'))
      request.head(200).data('x');
  }, async () => {
    const shown = (error) => error.name ?? error;
    const before = await fetch('http://h/a', { signal: AbortSignal.abort() })
      .catch(shown);
    const first = new AbortController();
    const during = fetch('http://h/stall', { signal: first.signal })
      .catch(shown);
    first.abort('mine');
    const second = new AbortController();
    const response = await fetch('http://h/c', { signal: second.signal });
    const text = response.text().catch(shown);
    second.abort();
    const third = new AbortController();
    const streamed = await fetch('http://h/d', { signal: third.signal });
    const reader = streamed.body.getReader();
    await reader.read();
    third.abort();
    const late = await fetch('http://h/stall',
        { signal: AbortSignal.timeout(5) }).catch(shown);
    return [before, await during, await text,
      await reader.read().catch(shown), late];
  });
  assert.deepEqual(value, ['AbortError', 'mine', 'AbortError', 'AbortError',
    'TimeoutError']);
  assert.deepEqual(seen.map(({ url, isCancelled }) => [url, isCancelled]),
      [['http://h/stall', true], ['http://h/c', true], ['http://h/d', true],
        ['http://h/stall', true]]);
});

test('an abort after all has come, but is not read, is still one', async () => {
  const { value } = await fetching((request) => request.answer(200, {}, 'all'),
      async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const unread = await fetch('http://h', { signal });
        const read = await fetch('http://h', { signal });
        await new Promise((resolve) => setTimeout(resolve, 10));
        const text = await read.text();
        controller.abort();
        return [text, await unread.text().catch((error) => error.name)];
      });
  assert.deepEqual(value, ['all', 'AbortError']);
});

test('a body that is cancelled is cancelled at egress', async () => {
  const { seen } = await fetching((request) => request.head(200).data('x'),
      async () => {
        const response = await fetch('http://h');
        await response.body.cancel();
        const second = await fetch('http://h');
        for await (const piece of second.body)
          break;
      });
  assert.deepEqual(seen.map(({ isCancelled }) => isCancelled), [true, true]);
});

test('redirects are followed by asking again', async () => {
  const { value, seen } = await fetching((request) => {
    const { pathname } = new URL(request.url);
    const redirects = { '/301': [301, '/done'], '/303': [303, 'done?q'],
      '/307': [307, 'https://other.example/done'], '/bare': [302] };
    const [status, location] = redirects[pathname] ?? [200];
    request.whole.then(() => request.answer(status,
        location === undefined ? {} : { location }, request.method));
  }, async () => {
    const ask = async (path, init) => {
      const response = await fetch(`http://h${path}`, init);
      return [response.status, response.url, response.redirected,
        await response.text()];
    };
    const init = { method: 'POST', body: 'b', headers: { authorization: 'x',
      cookie: 'c', other: 'o' } };
    return [await ask('/301', init), await ask('/303', { ...init,
      method: 'PUT' }), await ask('/307', init), await ask('/bare')];
  });
  assert.deepEqual(value, [
    [200, 'http://h/done', true, 'GET'], [200, 'http://h/done?q', true, 'GET'],
    [200, 'https://other.example/done', true, 'POST'],
    [302, 'http://h/bare', false, 'GET']]);
  const [, first, , second, , third] = seen;
  assert.equal(first.headers.authorization, 'x');
  assert.equal(first.headers['content-type'], undefined);
  assert.equal(first.hasBody, false);
  assert.equal(second.method, 'GET');
  assert.equal(third.headers.authorization, undefined);
  assert.equal(third.headers.cookie, undefined);
  assert.equal(third.headers.other, 'o');
  assert.equal(third.text, 'b');
});

test('redirects: manual, error, too many, nowhere, of a stream', async () => {
  const { value } = await fetching((request) => request.answer(
      request.url.endsWith('307') ? 307 : 302, { location:
        request.url.endsWith('/nowhere') ? 'ftp://h/' : request.url }),
  async () => {
    const shown = (error) => error.message.replace('fetch failed: ', '');
    const manual = await fetch('http://h/x', { redirect: 'manual' });
    return [[manual.status, manual.headers.get('location')],
      await fetch('http://h/x', { redirect: 'error' }).catch(shown),
      await fetch('http://h/x').catch(shown),
      await fetch('http://h/nowhere').catch(shown),
      await fetch('http://h/307', { method: 'POST', duplex: 'half',
        body: new ReadableStream() }).catch(shown)];
  });
  assert.deepEqual(value[0], [302, 'http://h/x']);
  assert.match(value[1], /redirect: "error"/);
  assert.match(value[2], /more than 20 redirects/);
  assert.match(value[3], /no http\(s\) URL/);
  assert.match(value[4], /cannot be sent again/);
});

for (const [coding, format] of [['gzip', 'gzip'], ['x-gzip', 'gzip'],
  ['deflate', 'deflate'], ['deflate', 'deflateRaw']]) {
  test(`${coding} as ${format} is undone`, async () => {
    const text = 'ab'.repeat(100000);
    const packed = zlib[`${format}Sync`](text);
    const { value } = await fetching((request) => {
      request.head(200, { 'content-encoding': coding.toUpperCase() });
      for (let at = 0; at < packed.length; at += 50)
        request.data(packed.subarray(at, at + 50));
      request.end();
    }, async () => {
      const whole = await (await fetch('http://h')).text();
      let length = 0;
      for await (const piece of (await fetch('http://h')).body)
        length += piece.length;
      return [whole, length];
    });
    assert.equal(value[0], text);
    assert.equal(value[1], text.length);
  });
}

test('codings: several, none, unknown ones, of nothing', async () => {
  const { value } = await fetching((request) => {
    const [coding, body] = { '/two': ['deflate, gzip',
      zlib.gzipSync(zlib.deflateSync('both'))], '/none': ['identity', 'plain'],
    '/br': ['br', 'as it is'], '/empty': ['gzip', ''] }[
      new URL(request.url).pathname];
    request.answer(200, { 'content-encoding': coding }, body);
  }, async () => {
    const texts = [];
    for (const path of ['/two', '/none', '/br', '/empty'])
      texts.push(await (await fetch(`http://h${path}`)).text());
    texts.push(await (await fetch('http://h/two', { method: 'HEAD' })).text());
    return texts;
  });
  assert.deepEqual(value, ['both', 'plain', 'as it is', '', '']);
});

test('a coding that is broken, or cut, is a TypeError', async () => {
  const packed = zlib.gzipSync('x'.repeat(1000));
  const { value, seen } = await fetching((request) => request.head(200,
      { 'content-encoding': 'gzip' }).data(request.url.endsWith('/cut') ?
    packed.subarray(0, 20) : 'no gzip at all').end(), async () => {
    const shown = (error) => `${error.name} ${error.message}`;
    const cut = await fetch('http://h/cut');
    const broken = await fetch('http://h/broken');
    return [await cut.text().catch(shown), await broken.text().catch(shown)];
  });
  assert.match(value[0], /^TypeError .* gzip, and ends too early/);
  assert.match(value[1], /^TypeError .* gzip, and is broken/);
  assert.equal(seen.length, 2);
});

test('a bomb is a TypeError at 64 MiB, and nobody sends the rest', async () => {
  const packed = zlib.gzipSync(Buffer.alloc(80 << 20));
  const { value, seen } = await fetching((request) => {
    request.head(200, { 'content-encoding': 'gzip' });
    for (let at = 0; at < packed.length; at += 60000)
      request.data(packed.subarray(at, at + 60000));
  }, async () => {
    let length = 0;
    const response = await fetch('http://h');
    try {
      for await (const piece of response.body)
        length += piece.length;
    } catch (error) {
      return [length, error.name, error.message];
    }
    return [length];
  });
  assert.ok(value[0] <= 64 << 20 && value[0] > 63 << 20, `${value[0]}`);
  assert.deepEqual(value.slice(1), ['TypeError',
    'fetch failed: decoded, the body is larger than 64 MiB']);
  assert.equal(seen[0].isCancelled, true);
});

test('HEAD, 204 and 304 have no body', async () => {
  const { value } = await fetching((request) => request.answer(
      Number(new URL(request.url).pathname.slice(1)), { 'content-length': '5',
        'content-encoding': 'gzip' }), async () => {
    const seen = [];
    for (const [status, method] of [[200, 'HEAD'], [204, 'GET'], [304, 'GET'],
      [205, 'GET']]) {
      const response = await fetch(`http://h/${status}`, { method });
      seen.push([response.status, response.body, await response.text()]);
    }
    return seen;
  });
  assert.deepEqual(value, [[200, null, ''], [204, null, ''], [304, null, ''],
    [205, null, '']]);
});

test('beyond what may be open, fetches wait their turn', async () => {
  const { value, egress } = await fetching((request) =>
    request.answer(200, {}, new URL(request.url).search), async () => {
    const all = await Promise.all(Array.from({ length: 100 }, async (_, i) =>
      (await fetch(`http://h/?${i}`)).text()));
    return all.every((text, i) => text === `?${i}`);
  }, { openMax: 8 });
  assert.equal(value, true);
  assert.equal(egress.mostOpen, 8);
  assert.equal(egress.seen.length, 100);
});

test('the warm-up rehearses a fetch, and nothing leaves', async () => {
  const said = [];
  const egress = new FakeEgress((request) => request.answer(200, {}, 'real'));
  for (const name of ['fetchStart', 'fetchBody', 'fetchRoom', 'fetchCancel']) {
    const say = egress[name];
    egress[name] = (...args) => {
      said.push([name, ...args]);
      return say.apply(egress, args);
    };
  }
  egress.state = 3; // there is no call yet
  const cell = newCell(egress);
  const namespace = await evaluate(cell, `export default { tools: { get: {
    inputSchema: { type: 'object' },
    run: async () => (await fetch('http://h')).text() } } }`);
  cell.entry.describe(namespace, undefined, 'tool');
  await cell.entry.warm();
  await cell.entry.warm();
  // Only the question whether there is a way out, and bytes of no exchange.
  assert.ok(said.every(([name, number, , text]) => name === 'fetchStart' ?
    number === 0 && text === '' : egress.open.size === 0));
  egress.state = 0;
  cell.events.length = 0; // what the glue mutes
  cell.entry.begin();
  cell.entry.call(0, '{"tool":"get","input":{}}');
  const events = await finish(cell);
  assert.deepEqual(events[0], ['result', '"real"']);
  assert.deepEqual(egress.seen.map(({ url }) => url), ['http://h/']);
});

test('the next call knows nothing of the one before', async () => {
  const egress = new FakeEgress((request) => {
    if (request.url.endsWith('/open'))
      request.head(200).data('x');
  });
  const cell = newCell(egress);
  await inside(() => {
    fetch('http://h/open').then((response) => { globalThis.kept = response; });
    fetch('http://h/stall').catch(() => {});
    return new Promise((resolve) => setTimeout(resolve, 20));
  }, cell);
  cell.entry.begin();
  assert.deepEqual(egress.seen.map(({ isCancelled }) => isCancelled),
      [true, true]);
});
