// SPDX-License-Identifier: Apache-2.0
// Known answers, and Node's own WebCrypto as the other side.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inside, newCell } from './harness.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const b64 = (bytes) => Buffer.from(bytes).toString('base64');

/** Shorthands that the functions below use inside the cell. */
async function newCryptoCell() {
  const cell = newCell();
  cell.run(`
    const bytes = (text) => new TextEncoder().encode(text);
    const unhex = (text) => Uint8Array.fromHex(text);
    const unb64 = (text) => Uint8Array.fromBase64(text);
    const hex = (data) => new Uint8Array(data).toHex();
    const b64 = (data) => new Uint8Array(data).toBase64();
    const failing = (promise) => promise.then(() => 'done', (e) => e.name);
    const { subtle } = crypto;`);
  return cell;
}

const inCrypto = async (fn) => inside(fn, await newCryptoCell());

test('random values fill what they are given', async () => {
  const seen = await inCrypto(() => {
    const attempt = (run) => {
      try {
        return run();
      } catch (error) {
        return error.name;
      }
    };
    return [crypto.getRandomValues(new Uint32Array(8)).some((n) => n !== 0),
      new Set(Array.from({ length: 1000 }, () => crypto.randomUUID())).size,
      crypto.randomUUID(),
      attempt(() => crypto.getRandomValues(new Uint8Array(65537))),
      attempt(() => crypto.getRandomValues(new Float32Array(1)))];
  });
  assert.deepEqual(seen.slice(0, 2), [true, 1000]);
  assert.match(seen[2],
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(seen.slice(3), ['QuotaExceededError', 'TypeMismatchError']);
});

test('digests: FIPS 180 known answers', async () => {
  const seen = await inCrypto(async () => [
    hex(await subtle.digest('SHA-1', bytes('abc'))),
    hex(await subtle.digest({ name: 'sha-256' }, bytes('abc'))),
    hex(await subtle.digest('SHA-384', bytes('abc'))).slice(0, 16),
    hex(await subtle.digest('SHA-512', bytes('abc'))).slice(0, 16),
    await failing(subtle.digest('MD5', bytes('abc'))),
  ]);
  assert.deepEqual(seen, ['a9993e364706816aba3e25717850c26c9cd0d89d',
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'cb00753f45a35e8b', 'ddaf35a193617aba', 'NotSupportedError']);
});

test('HMAC: RFC 4231 case 2, verify, JWK', async () => {
  const seen = await inCrypto(async () => {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const key = await subtle.importKey('raw', bytes('Jefe'), algorithm, true,
        ['sign', 'verify']);
    const data = bytes('what do ya want for nothing?');
    const mac = await subtle.sign('HMAC', key, data);
    const wrong = new Uint8Array(mac).slice();
    wrong[0] ^= 1;
    const made = await subtle.generateKey(algorithm, false, ['sign']);
    return [hex(mac), await subtle.verify('HMAC', key, mac, data),
      await subtle.verify('HMAC', key, wrong, data),
      await subtle.exportKey('jwk', key), made.algorithm.length,
      await failing(subtle.exportKey('raw', made)),
      await failing(subtle.verify('HMAC', made, mac, data))];
  });
  assert.deepEqual(seen, [
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    true, false, { kty: 'oct', k: 'SmVmZQ', alg: 'HS256',
      key_ops: ['sign', 'verify'], ext: true }, 512, 'InvalidAccessError',
    'InvalidAccessError']);
});

test('HKDF: RFC 5869 case 1; PBKDF2: RFC 6070', async () => {
  const seen = await inCrypto(async () => {
    const hkdf = await subtle.importKey('raw', unhex('0b'.repeat(22)), 'HKDF',
        false, ['deriveBits', 'deriveKey']);
    const params = { name: 'HKDF', hash: 'SHA-256',
      salt: unhex('000102030405060708090a0b0c'),
      info: unhex('f0f1f2f3f4f5f6f7f8f9') };
    const pbkdf2 = await subtle.importKey('raw', bytes('password'), 'PBKDF2',
        false, ['deriveBits']);
    const aes = await subtle.deriveKey(params, hkdf,
        { name: 'AES-GCM', length: 128 }, true, ['encrypt']);
    return [hex(await subtle.deriveBits(params, hkdf, 336)),
      hex(await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-1',
        salt: bytes('salt'), iterations: 2 }, pbkdf2, 160)),
      hex(await subtle.exportKey('raw', aes))];
  });
  const okm = '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4' +
    'c5bf34007208d5b887185865';
  assert.deepEqual(seen, [okm, 'ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957',
    okm.slice(0, 32)]);
});

const AES = [
  ['AES-GCM', 32, 12, { additionalData: Buffer.from('aad') }],
  ['AES-GCM', 16, 16, {}],
  ['AES-CBC', 24, 16, {}],
  ['AES-CBC', 32, 16, {}],
  ['AES-CTR', 16, 16, { length: 64 }],
  ['AES-CTR', 32, 16, { length: 5 }],
];

for (const [name, keyBytes, ivBytes, more] of AES) {
  test(`${name} ${keyBytes * 8} agrees with Node in both directions`,
      async () => {
    const cell = await newCryptoCell();
    const raw = crypto.getRandomValues(new Uint8Array(keyBytes));
    const iv = new Uint8Array(ivBytes).fill(0xff); // a counter that wraps
    const params = { name, ...more,
      [name === 'AES-CTR' ? 'counter' : 'iv']: iv };
    const key = await crypto.subtle.importKey('raw', raw, name, false,
        ['encrypt', 'decrypt']);
    for (const size of [0, 1, 15, 16, 17, 300]) {
      const text = crypto.getRandomValues(new Uint8Array(size));
      const theirs = Buffer.from(
          await crypto.subtle.encrypt(params, key, text));
      const broken = Buffer.from(theirs);
      if (broken.length > 0)
        broken[broken.length - 1] ^= 1;
      Object.assign(cell.context, { given: { raw: b64(raw), iv: b64(iv),
        text: b64(text), theirs: b64(theirs), broken: b64(broken), name,
        length: more.length, aad: more.additionalData !== undefined } });
      const [ours, back, bad] = await inside(async () => {
        const { name, length, aad } = given;
        const iv = unb64(given.iv);
        const params = { name, iv, counter: iv, length,
          additionalData: aad ? bytes('aad') : undefined };
        const key = await subtle.importKey('raw', unb64(given.raw), name,
            false, ['encrypt', 'decrypt']);
        return [b64(await subtle.encrypt(params, key, unb64(given.text))),
          b64(await subtle.decrypt(params, key, unb64(given.theirs))),
          await failing(subtle.decrypt(params, key, unb64(given.broken)))];
      }, cell);
      assert.equal(ours, b64(theirs));
      assert.equal(back, b64(text));
      if (name === 'AES-GCM')
        assert.equal(bad, 'OperationError');
    }
  });
}

for (const [name, more] of [['ECDSA', { namedCurve: 'P-256' }],
  ['ECDSA', { namedCurve: 'P-384' }], ['ECDSA', { namedCurve: 'P-521' }],
  ['Ed25519', {}]]) {
  test(`${name} ${more.namedCurve ?? ''} signs for Node and verifies Node`,
      async () => {
    const cell = await newCryptoCell();
    const algorithm = { name, hash: 'SHA-256' };
    const pair = await crypto.subtle.generateKey({ name, ...more }, true,
        ['sign', 'verify']);
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey);
    const data = Buffer.from('data');
    const theirs = await crypto.subtle.sign(algorithm, pair.privateKey, data);
    const [ours, open, good, bad] = await inside(`async () => {
      const algorithm = { name: '${name}', hash: 'SHA-256',
        ...${JSON.stringify(more)} };
      const pair = await subtle.generateKey(algorithm, true,
          ['sign', 'verify']);
      const other = await subtle.importKey('jwk', ${JSON.stringify(jwk)},
          algorithm, true, ['verify']);
      const jwk = await subtle.exportKey('jwk', pair.privateKey);
      const secret = await subtle.importKey('jwk', jwk, algorithm, false,
          ['sign']);
      return [b64(await subtle.sign(algorithm, secret, bytes('data'))),
        await subtle.exportKey('jwk', pair.publicKey),
        await subtle.verify(algorithm, other, unb64('${b64(theirs)}'),
            bytes('data')),
        await subtle.verify(algorithm, other, unb64('${b64(theirs)}'),
            bytes('date'))];
    }`, cell);
    const key = await crypto.subtle.importKey('jwk', open, { name, ...more },
        false, ['verify']);
    assert.equal(await crypto.subtle.verify(algorithm, key,
        Buffer.from(ours, 'base64'), data), true);
    assert.deepEqual([good, bad], [true, false]);
  });
}

for (const [name, more] of [['ECDH', { namedCurve: 'P-256' }],
  ['X25519', {}]]) {
  test(`${name} agrees on the bits with Node`, async () => {
    const cell = await newCryptoCell();
    const pair = await crypto.subtle.generateKey({ name, ...more }, true,
        ['deriveBits']);
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey);
    const [bits, open] = await inside(`async () => {
      const algorithm = { name: '${name}', ...${JSON.stringify(more)} };
      const pair = await subtle.generateKey(algorithm, true, ['deriveBits']);
      const other = await subtle.importKey('jwk', ${JSON.stringify(jwk)},
          algorithm, true, []);
      return [hex(await subtle.deriveBits({ name: '${name}', public: other },
          pair.privateKey, 256)),
        await subtle.exportKey('jwk', pair.publicKey)];
    }`, cell);
    const other = await crypto.subtle.importKey('jwk', open, { name, ...more },
        true, []);
    assert.equal(bits, hex(await crypto.subtle.deriveBits(
        { name, public: other }, pair.privateKey, 256)));
  });
}

test('usages and formats that do not fit are refused', async () => {
  const seen = await inCrypto(async () => [
    await failing(subtle.importKey('raw', new Uint8Array(5), 'AES-GCM', true,
        ['encrypt'])),
    await failing(subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', true,
        ['sign'])),
    await failing(subtle.importKey('pkcs8', new Uint8Array(16),
        { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])),
    await failing(subtle.importKey('raw', new Uint8Array(65),
        { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])),
    await failing(subtle.generateKey('RSA-OAEP', true, ['encrypt'])),
  ]);
  assert.deepEqual(seen, ['DataError', 'SyntaxError', 'NotSupportedError',
    'DataError', 'NotSupportedError']);
});
