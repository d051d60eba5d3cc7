// SPDX-License-Identifier: Apache-2.0
// Which file of a bundle is its entry.

const NAMES = ['index.mjs', 'index.js', 'main.js', 'worker.js', 'server.js',
  'src/index.js'];
const CONDITIONS = ['workerd', 'worker', 'import', 'module', 'default'];

/** The path that `exports` names for a program that imports the package. */
function exported(value) {
  if (typeof value === 'string')
    return value;
  if (typeof value !== 'object' || value === null)
    return undefined;
  for (const key of ['.', ...CONDITIONS]) {
    const path = Object.hasOwn(value, key) ? exported(value[key]) : undefined;
    if (path !== undefined)
      return path;
  }
  return undefined;
}

function read(packageJson) {
  if (packageJson === undefined || packageJson === null)
    return {};
  if (typeof packageJson !== 'string')
    return packageJson;
  try {
    return JSON.parse(packageJson) ?? {};
  } catch (error) {
    throw new Error(`package.json is not JSON: ${error.message}`);
  }
}

/** A named path, as Node finds it: with `.js` or `/index.js` added. */
function find(paths, name) {
  const path = name.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
  return [path, `${path}.js`, `${path}.mjs`, `${path}/index.js`]
    .find((candidate) => paths.includes(candidate));
}

/** The entry's path. `packageJson` is its text, or its value, or undefined. */
export function pickEntry(paths, packageJson = undefined) {
  const manifest = read(packageJson);
  const named = [exported(manifest.exports), manifest.module, manifest.main]
    .filter((name) => typeof name === 'string');
  for (const name of named) {
    const path = find(paths, name);
    if (path !== undefined)
      return path;
  }
  if (named.length > 0) {
    throw new Error(`package.json names "${named[0]}" as the entry, but the ` +
        'bundle has no such file');
  }
  const scripts = paths.filter((path) => /\.m?js$/.test(path));
  const found = NAMES.find((name) => paths.includes(name)) ??
      (scripts.length === 1 ? scripts[0] : undefined);
  if (found === undefined) {
    throw new Error(scripts.length === 0 ?
      'the bundle has no .js or .mjs file' :
      `the bundle has ${scripts.length} scripts and none of them is called ${
        NAMES.join(', ')}: name the entry in package.json ("main")`);
  }
  return found;
}
