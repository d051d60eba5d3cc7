// SPDX-License-Identifier: Apache-2.0
// A value that a schema may well be about: what the warm-up checks, so that
// the check of the first real input finds its way trodden.

const MEMBERS_MAX = 30;
const DEPTH_MAX = 3;
const TEXT_MAX = 100;

const SAMPLES = {
  __proto__: null,
  array: (schema, depth) => [sampleOf(schema.items, depth)],
  boolean: () => true,
  integer: (schema) => schema.minimum ?? 1,
  null: () => null,
  number: (schema) => schema.minimum ?? 1,
  object(schema, depth) {
    const sample = {};
    for (const [name, member] of
      Object.entries(schema.properties ?? {}).slice(0, MEMBERS_MAX))
      sample[name] = sampleOf(member, depth);
    return sample;
  },
  string: (schema) =>
    'a'.repeat(Math.min(schema.minLength ?? 1, TEXT_MAX)),
};

export function sampleOf(schema, depth = 0) {
  if (typeof schema !== 'object' || schema === null || depth > DEPTH_MAX)
    return {};
  const fixed = schema.const ?? schema.enum?.[0] ?? schema.default;
  if (fixed !== undefined)
    return fixed;
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  return (SAMPLES[type] ?? SAMPLES.object)(schema, depth + 1);
}
