// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inside } from './harness.mjs';

test('decodes UTF-8 in pieces of any size like in one', async () => {
  const seen = await inside(() => {
    const bytes = new TextEncoder().encode('\ufeffaé語💩\ufeffz');
    const bad = [0x61, 0xf0, 0x9f, 0x41, 0xe2, 0x82, 0xff, 0xed, 0xa0, 0x80,
      0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80, 0xf0, 0x9f];
    const inPieces = (all, size) => {
      const decoder = new TextDecoder();
      let text = '';
      for (let at = 0; at < all.length; at += size) {
        text += decoder.decode(Uint8Array.from(all.slice(at, at + size)),
            { stream: true });
      }
      return text + decoder.decode();
    };
    const whole = new TextDecoder().decode(Uint8Array.from(bad));
    return {
      good: [1, 2, 3, 5].map((size) => inPieces([...bytes], size)),
      bad: [1, 2, 3, 5].every((size) => inPieces(bad, size) === whole),
      whole,
      bom: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
        .charCodeAt(0),
    };
  });
  assert.deepEqual(seen.good, Array(4).fill('aé語💩\ufeffz'));
  assert.equal(seen.bad, true);
  assert.equal(seen.whole, new TextDecoder().decode(Uint8Array.from([0x61,
    0xf0, 0x9f, 0x41, 0xe2, 0x82, 0xff, 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4,
    0x90, 0x80, 0x80, 0xf0, 0x9f])));
  assert.equal(seen.bom, 0xfeff);
});

test('fatal decoding throws a TypeError, also for an unfinished end', async () => {
  const seen = await inside(() => {
    const fails = (bytes, label = 'utf-8') => {
      try {
        new TextDecoder(label, { fatal: true }).decode(Uint8Array.from(bytes));
        return false;
      } catch (error) {
        return error instanceof TypeError;
      }
    };
    return [fails([0xff]), fails([0xe2, 0x82]), fails([0x61]),
      fails([0x00, 0xd8], 'utf-16le'), fails([0x61], 'utf-16le')];
  });
  assert.deepEqual(seen, [true, true, false, true, true]);
});

test('decodes UTF-16 in both orders and windows-1252', async () => {
  const seen = await inside(() => {
    const decode = (label, ...bytes) =>
      new TextDecoder(label).decode(Uint8Array.from(bytes));
    const decoder = new TextDecoder('utf-16le');
    const halves = decoder.decode(Uint8Array.of(0x3d, 0xd8, 0xa9),
        { stream: true }) + decoder.decode(Uint8Array.of(0xdc));
    return [decode('utf-16', 0xff, 0xfe, 0x61, 0), decode('utf-16be', 0, 0x61),
      decode('utf-16le', 0, 0xd8, 0x61, 0), halves,
      decode('latin1', 0x80, 0xe9), new TextDecoder('ASCII').encoding];
  });
  assert.deepEqual(seen, ['a', 'a', '\ufffda', '💩', '€é', 'windows-1252']);
});

test('refuses an unknown encoding by name', async () => {
  const seen = await inside(() => {
    try {
      return new TextDecoder('klingon').encoding;
    } catch (error) {
      return [error.name, error.message.includes('klingon')];
    }
  });
  assert.deepEqual(seen, ['RangeError', true]);
});

test('encodes, and replaces lone surrogates', async () => {
  const seen = await inside(() => {
    const target = new Uint8Array(4);
    const result = new TextEncoder().encodeInto('aé語', target);
    return [[...new TextEncoder().encode('a\ud800b')], result, [...target]];
  });
  assert.deepEqual(seen, [[0x61, 0xef, 0xbf, 0xbd, 0x62],
    { read: 2, written: 3 }, [0x61, 0xc3, 0xa9, 0]]);
});

test('atob and btoa are forgiving where the standard is', async () => {
  const seen = await inside(() => {
    const attempt = (run) => {
      try {
        return run();
      } catch (error) {
        return `${error.name} ${error.code}`;
      }
    };
    return [btoa('hé\xff'), atob(' aGk= '), atob('aGk'), atob(''),
      attempt(() => atob('a')), attempt(() => atob('a===')),
      attempt(() => atob('aGk=!')), attempt(() => btoa('語')),
      attempt(() => atob('YR'))];
  });
  assert.deepEqual(seen, [btoa('hé\xff'), 'hi', 'hi', '',
    'InvalidCharacterError 5', 'InvalidCharacterError 5',
    'InvalidCharacterError 5', 'InvalidCharacterError 5', 'a']);
});

test('text streams keep characters whole across chunks', async () => {
  const seen = await inside(async () => {
    const bytes = [];
    const source = new ReadableStream({ start(controller) {
      controller.enqueue('a\ud83d');
      controller.enqueue('\udca9b');
      controller.close();
    } });
    for await (const chunk of source.pipeThrough(new TextEncoderStream()))
      bytes.push(...chunk);
    let text = '';
    const pieces = new ReadableStream({ start(controller) {
      for (const byte of bytes)
        controller.enqueue(Uint8Array.of(byte));
      controller.close();
    } });
    for await (const part of pieces.pipeThrough(new TextDecoderStream()))
      text += part;
    return [bytes, text];
  });
  assert.deepEqual(seen, [[0x61, 0xf0, 0x9f, 0x92, 0xa9, 0x62], 'a💩b']);
});
