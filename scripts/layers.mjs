// SPDX-License-Identifier: Apache-2.0

// Which folder of src/ may include which, what the supervisor may link, and
// which calls leak descriptors: checked on the text and on the programs. The map
// of doc/ARCHITECTURE.md says the same as the table here.
//
//     node scripts/layers.mjs [BUILD]
//
// Without BUILD the programs are not looked at. CORDON_ROOT names another tree,
// for the test of this check.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(process.env.CORDON_ROOT ??
  resolve(fileURLToPath(import.meta.url), '../..'));
const src = join(root, 'src');

// What a part of `cordon-ctl` may include.
const back = ['ctl', 'ctl/host', 'ctl/serve', 'ctl/run', 'ctl/machine',
  'ctl/secret', 'ctl/login', 'base',
  'wire', 'pool', 'json', 'mcp', 'box', 'client', 'policy', 'package', 'addr',
  'vault'];

// A folder may include itself and what stands here, nothing else. A room that
// is not named belongs to its folder.
const layers = {
  base: [],
  json: ['base'],
  mcp: ['json', 'base'],
  http: ['base'],
  box: ['base'],
  addr: ['base'],
  wire: ['base', 'addr'],
  policy: ['json', 'base', 'box', 'addr'],
  launcher: ['base', 'box'],
  package: ['base', 'json', 'box', 'policy', 'addr'],
  pool: ['wire', 'json', 'base', 'addr'],
  zygote: ['wire', 'base', 'box', 'addr'],
  vault: ['wire', 'base', 'addr'],
  oauth: ['json', 'wire', 'base', 'addr'],
  store: ['wire', 'base', 'box', 'json', 'policy', 'addr', 'vault', 'oauth'],
  supervisor: ['wire', 'base', 'box', 'addr'],
  egress: ['wire', 'base', 'box', 'addr', 'http'],
  gateway: ['base', 'json', 'mcp', 'http', 'box', 'wire', 'pool', 'addr', 'oauth'],
  client: ['base', 'json', 'mcp'],
  ctl: ['base', 'json', 'box', 'policy', 'package', 'addr', 'wire', 'vault'],
  'ctl/host': back,
  'ctl/serve': back,
  'ctl/run': back,
  'ctl/machine': back,
  'ctl/secret': back,
  'ctl/login': back,
};

// Calls that make a descriptor, and the word without which every program
// started later inherits it. null: the call has no such word; use the other.
// (dup2() is missing: handing down is what it is for.)
const descriptorCalls = [
  ['socket', /SOCK_CLOEXEC/, 'SOCK_CLOEXEC'],
  ['socketpair', /SOCK_CLOEXEC/, 'SOCK_CLOEXEC'],
  ['accept4', /SOCK_CLOEXEC/, 'SOCK_CLOEXEC'],
  ['open', /O_CLOEXEC/, 'O_CLOEXEC'],
  ['openat', /O_CLOEXEC/, 'O_CLOEXEC'],
  ['pipe2', /O_CLOEXEC/, 'O_CLOEXEC'],
  ['dup3', /O_CLOEXEC/, 'O_CLOEXEC'],
  ['memfd_create', /MFD_CLOEXEC/, 'MFD_CLOEXEC'],
  ['eventfd', /EFD_CLOEXEC/, 'EFD_CLOEXEC'],
  ['epoll_create1', /EPOLL_CLOEXEC/, 'EPOLL_CLOEXEC'],
  ['signalfd', /SFD_CLOEXEC/, 'SFD_CLOEXEC'],
  ['timerfd_create', /TFD_CLOEXEC/, 'TFD_CLOEXEC'],
  ['inotify_init1', /IN_CLOEXEC/, 'IN_CLOEXEC'],
  ['fopen', /"[rwa][^"]*e[^"]*"/, 'mode "e"'],
  ['recvmsg', /MSG_CMSG_CLOEXEC/, 'MSG_CMSG_CLOEXEC'],
  ['accept', null, 'accept4() with SOCK_CLOEXEC'],
  ['pipe', null, 'pipe2() with O_CLOEXEC'],
  ['dup', null, 'fcntl(F_DUPFD_CLOEXEC)'],
  ['epoll_create', null, 'epoll_create1() with EPOLL_CLOEXEC'],
];

// What `cordon` links, so that it starts at once; sanitizers bring their own.
const frontLibraries = /libc\.so|ld-linux|lib(a|ub|l)san|libgcc_s|libm\.so/;

// What no supervisor links: it parses nothing a stranger wrote.
const parserSymbols = /^(json_|jansson_|mcp_|http_|MHD_|pool_|sqlite3_)/;
const parserLibraries = /jansson|microhttpd|event|curl|sqlite/;

const complaints = [];
const complain = (file, line, text) =>
  complaints.push(`${relative(root, file)}:${line}: ${text}`);

// Comments and the insides of literals become spaces, lines stay lines; an
// include and an fopen mode are asked of the text as it was.
function strip(text) {
  const blank = (all) => all.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
    blank);
}

const lineAt = (text, at) => text.slice(0, at).split('\n').length;

// The layer that a file belongs to: its room, or else its folder.
const layerOf = (name) =>
  dirname(name) in layers ? dirname(name) : name.split('/')[0];

function checkIncludes(folder, file, text) {
  for (const found of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
    const target = layerOf(found[1]);
    const allowed = target === folder || layers[folder].includes(target) ||
      !(target in layers);
    if (!allowed) {
      complain(file, lineAt(text, found.index),
        `${folder}/ may not include ${target}/`);
    }
    if (!found[1].includes('/') && !existsSync(join(dirname(file), found[1]))) {
      complain(file, lineAt(text, found.index),
        `"${found[1]}": say its folder`);
    }
  }
}

// A row of the map: | `folder`, `folder` … | is | may include |. That the rooms of
// a folder include one another goes without saying there.
function checkMap() {
  const file = join(root, 'doc/ARCHITECTURE.md');
  if (process.env.CORDON_ROOT && !existsSync(file)) return;
  const told = new Set();
  const text = readFileSync(file, 'utf8');
  for (const row of text.matchAll(/^\|( `src\/.*?) \|.*\| (.*?) \|$/gm)) {
    for (const [, folder] of row[1].matchAll(/`src\/([^`]+)`/g)) {
      const layer = layerOf(`${folder}/a.c`);
      const may = layers[layer]?.filter((name) => !name.includes('/')) ?? [];
      const all = layer === folder ? may : [...may, layer];
      told.add(folder);
      if (row[2].split(', ').sort().join(', ') !== (all.sort().join(', ') || 'nothing')) {
        complain(file, lineAt(text, row.index),
          `src/${folder} may include: ${all.join(', ') || 'nothing'}`);
      }
    }
  }
  for (const folder of Object.keys(layers)) {
    if (!told.has(folder)) complain(file, 1, `the map has no row for src/${folder}`);
  }
}

// From the opening parenthesis to the one that closes it.
function argumentsAt(bare, open) {
  let depth = 0;
  for (let at = open; at < bare.length; at++) {
    if (bare[at] === '(') depth++;
    if (bare[at] === ')' && --depth === 0) return [open, at];
  }
  return [open, bare.length];
}

// A descriptor meant to be inherited says so, at most ten lines above.
const isExcused = (text, at) =>
  text.slice(0, at).split('\n').slice(-10).join('\n').includes('inherited:');

function checkDescriptors(file, text) {
  const bare = strip(text);
  for (const [name, needs, instead] of descriptorCalls) {
    if (new RegExp(`^${name}\\(`, 'm').test(bare)) continue; // its own
    const call = new RegExp(`(?<![\\w.>])${name}\\s*\\(`, 'g');
    for (const found of bare.matchAll(call)) {
      const open = found.index + found[0].length - 1;
      const [from, to] = argumentsAt(bare, open);
      if (needs?.test(text.slice(from, to)) || isExcused(text, to)) continue;
      complain(file, lineAt(text, found.index),
        `${name}() leaves a descriptor to be inherited: ${instead}`);
    }
  }
  for (const found of bare.matchAll(/\bF_DUPFD\b(?!_)/g)) {
    complain(file, lineAt(text, found.index), 'F_DUPFD: use F_DUPFD_CLOEXEC');
  }
}

function checkHead(file, text) {
  const [first, second] = text.split('\n');
  if (!`${first}${second}`.includes('SPDX-License-Identifier: Apache-2.0')) {
    complain(file, 1, 'it begins with the SPDX line');
  }
  if (file.endsWith('.h') && !text.includes('#pragma once')) {
    complain(file, 1, 'a header says #pragma once');
  }
  const lines = text.split('\n').length;
  if (lines > 800) complain(file, lines, `${lines} lines: it wants to be two`);
}

function checkSources() {
  let count = 0;
  for (const folder of readdirSync(src)) {
    if (folder === 'meson.build') continue;
    if (!(folder in layers)) {
      complain(join(src, folder), 1, 'a folder that no layer names');
      continue;
    }
    const files = readdirSync(join(src, folder), { recursive: true })
      .filter((name) => /\.(c|cc|h|def)$/.test(name));
    for (const name of files) {
      const file = join(src, folder, name);
      const text = readFileSync(file, 'utf8');
      checkHead(file, text);
      checkIncludes(layerOf(`${folder}/${name}`), file, text);
      checkDescriptors(file, text);
      count++;
    }
  }
  return count;
}

const output = (...command) =>
  execFileSync(command[0], command.slice(1), { encoding: 'utf8' });

function checkSupervisor(build) {
  const program = join(build, 'cordon-supervisor');
  if (!existsSync(program)) {
    complain(program, 1, 'is missing: build first');
    return;
  }
  const symbols = output('nm', program).split('\n')
    .map((line) => line.trim().split(/\s+/).at(-1).replace(/@.*/, ''))
    .filter((name) => parserSymbols.test(name));
  if (symbols.length > 0) {
    complain(program, 1, `links a parser: ${symbols.slice(0, 5).join(', ')}`);
  }
  const libraries = output('readelf', '-d', program).split('\n')
    .filter((line) => line.includes('(NEEDED)') && parserLibraries.test(line));
  for (const line of libraries) complain(program, 1, `needs ${line.trim()}`);
}

function checkFront(build) {
  const program = join(build, 'cordon');
  if (!existsSync(program)) {
    complain(program, 1, 'is missing: build first');
    return;
  }
  for (const line of output('readelf', '-d', program).split('\n')) {
    if (line.includes('(NEEDED)') && !frontLibraries.test(line)) {
      complain(program, 1, `needs ${line.trim()}: that is cordon-ctl's`);
    }
  }
}

const build = process.argv[2];
const count = checkSources();
checkMap();
if (build) {
  checkSupervisor(resolve(root, build));
  checkFront(resolve(root, build));
}
for (const text of complaints) console.error(text);
if (complaints.length > 0) process.exit(1);
console.log(`layers: ${count} files in order`);
