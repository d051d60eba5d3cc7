// SPDX-License-Identifier: Apache-2.0

// Promise: native code in a box reads, changes, signals and reaches nothing but
// what was granted, whoever started the box. The attacks are C (box/); the
// control is the same program where the box's walls are absent: as an ordinary
// user, as root or as root of a user namespace, whichever the attack needs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  Place, USER, attack, attacks, control, controls, errnoOf, isRoot, killed, lacks,
  outcomes, refused, run, runners, wrap, wrapOnTerminal,
} from './box.mjs';

// Without root, what needs it as its control cannot be shown to work here.
const here = controls.filter((level) => isRoot || level !== 'root');

const without = new Map();
const free = await Place.make(USER);
for (const level of here)
  for (const [name, outcome] of await control(free, level))
    without.set(`${level}/${name}`, outcome);
const cameToFree = await free.end();

for (const [name, outcome] of without) {
  const lacking = outcome.result === -1 && lacks.has(errnoOf(outcome));
  test(`${name} works without the walls`,
    { skip: lacking && `not on this machine: ${errnoOf(outcome)}` }, () => {
      assert.ok(outcome.result >= 0 || outcome.signal === undefined &&
        killed.has(outcome.name), JSON.stringify(outcome));
    });
}

test('without the walls every listener of the host is reached', () => {
  for (const [name, n] of Object.entries(cameToFree)) assert.ok(n > 0, name);
});

const policyOf = (place) => {
  const path = place.at('policy.json');
  writeFileSync(path, JSON.stringify({ filesystem: {
    allowRead: [place.at('readonly')],
    allowWrite: [place.at('granted'), place.at('above/inner')],
    denyRead: [place.at('granted/hidden')],
  } }));
  return ['--policy', path];
};

// What a run of all attacks in a box did to each, whichever walls they met.
async function inBox(uid) {
  const place = await Place.make(uid);
  const policy = policyOf(place);
  const words = (which) => wrap(uid, policy, [attacks, 'run', which, place.folder]);
  const found = new Map();
  for (const which of ['files', 'proc', 'namespaces', 'calls', 'set-id', 'ipc',
    'network', 'tty']) {
    for (const [name, outcome] of outcomes(await attack(place, words(which))))
      found.set(`${outcome.control}/${name}`, outcome);
  }
  const onTerminal = outcomes(await attack(place, wrapOnTerminal(uid, policy,
    [attacks, 'run', 'tty', place.folder])));
  const readonly = new Map(readdirSync(place.at('readonly')).map((name) =>
    [name, readFileSync(place.at(`readonly/${name}`), 'utf8')]));
  return { found, onTerminal, readonly, came: await place.end() };
}

for (const { name: who, uid } of runners) {
  const { found, onTerminal, readonly, came } = await inBox(uid);

  describe(`in a box that ${who} started`, () => {
    test('every attack was tried', () => {
      const missing = [...without.values()]
        .map(({ control: level, name }) => `${level}/${name}`)
        .filter((name) => !found.has(name));
      assert.deepEqual(missing, []);
      assert.ok(found.size > 250, `${found.size}`);
    });

    for (const [name, outcome] of found)
      test(`${name} is refused`, () => refused(outcome));

    for (const [name, outcome] of onTerminal)
      test(`${name} is refused on a terminal`, () => refused(outcome));

    for (const path of ['/proc', '/proc/self', '/proc/sys/kernel'])
      test(`${path} of the host cannot be granted`, async () => {
        const { code, stderr } = await run(wrap(uid, ['--write', path], ['/bin/true']));
        assert.equal(code, 125, stderr);
        assert.match(stderr, /processes of the host/);
      });

    test('nobody came to a listener of the host', () => {
      for (const [name, n] of Object.entries(came)) assert.equal(n, 0, name);
    });

    test('what was granted to be read is as it was', () => {
      assert.deepEqual(Object.fromEntries(readonly),
        { note: 'note\n', long: 'long\n', victim: 'victim\n' });
    });
  });
}
