// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { format, inspect } from './inspect.js';

const DEBUG = 0;
const LOG = 1;
const WARN = 2;
const ERROR = 3;
const NAMES_MAX = 1000;

let indent = '';
let counts = new Map();
let clocks = new Map();

function write(level, args) {
  const text = format(args);
  native.log(level, indent === '' ? text :
    indent + text.replaceAll('\n', `\n${indent}`));
}

function remember(map, label, value) {
  if (map.size < NAMES_MAX || map.has(label))
    map.set(label, value);
}

function elapsed(label) {
  const start = clocks.get(label);
  if (start === undefined) {
    write(WARN, [`Timer '${label}' does not exist`]);
    return undefined;
  }
  return `${label}: ${(native.now() - start).toFixed(1)}ms`;
}

/** Rows and columns of console.table, or undefined if it is no table. */
function tableOf(data, only) {
  if (typeof data !== 'object' || data === null || native.isProxy(data))
    return undefined;
  const rows = [];
  const columns = new Set(only);
  for (const [index, row] of Object.entries(data).slice(0, 1000)) {
    const cells = { '(index)': index };
    if (typeof row === 'object' && row !== null && !native.isProxy(row)) {
      for (const [key, value] of Object.entries(row).slice(0, 100)) {
        if (only !== undefined && !only.includes(key))
          continue;
        columns.add(key);
        cells[key] = inspect(value);
      }
    } else {
      columns.add('Values');
      cells.Values = inspect(row);
    }
    rows.push(cells);
  }
  return { rows, columns: ['(index)', ...columns] };
}

function drawTable({ rows, columns }) {
  const widths = columns.map((column) => rows.reduce((width, row) =>
    Math.max(width, (row[column] ?? '').length), column.length));
  const line = (cells) => `│ ${cells.map((cell, i) =>
    cell.padEnd(widths[i])).join(' │ ')} │`;
  const rule = (left, middle, right) =>
    left + widths.map((w) => '─'.repeat(w + 2)).join(middle) + right;
  return [rule('┌', '┬', '┐'), line(columns), rule('├', '┼', '┤'),
    ...rows.map((row) => line(columns.map((c) => row[c] ?? ''))),
    rule('└', '┴', '┘')].join('\n');
}

export const console = {
  debug(...args) { write(DEBUG, args); },
  log(...args) { write(LOG, args); },
  info(...args) { write(LOG, args); },
  warn(...args) { write(WARN, args); },
  error(...args) { write(ERROR, args); },
  dir(value) { write(LOG, [inspect(value)]); },
  dirxml(...args) { write(LOG, args); },

  trace(...args) {
    const { stack } = new Error();
    const frames = `${stack}`.split('\n').slice(1)
      .filter((frame) => !frame.includes('cordon:platform'));
    write(DEBUG, [`Trace: ${format(args)}\n${frames.join('\n')}`]);
  },

  assert(condition, ...args) {
    if (condition)
      return;
    if (typeof args[0] === 'string')
      args[0] = `Assertion failed: ${args[0]}`;
    else
      args.unshift('Assertion failed');
    write(ERROR, args);
  },

  table(data, only = undefined) {
    const table = tableOf(data, only);
    write(LOG, [table === undefined ? data : drawTable(table)]);
  },

  count(label = 'default') {
    const count = (counts.get(`${label}`) ?? 0) + 1;
    remember(counts, `${label}`, count);
    write(LOG, [`${label}: ${count}`]);
  },
  countReset(label = 'default') { counts.delete(`${label}`); },

  time(label = 'default') { remember(clocks, `${label}`, native.now()); },
  timeLog(label = 'default', ...args) {
    const text = elapsed(`${label}`);
    if (text !== undefined)
      write(LOG, [text, ...args]);
  },
  timeEnd(label = 'default') {
    const text = elapsed(`${label}`);
    if (text !== undefined)
      write(LOG, [text]);
    clocks.delete(`${label}`);
  },

  group(...args) {
    if (args.length > 0)
      write(LOG, args);
    if (indent.length < 40)
      indent += '  ';
  },
  groupCollapsed(...args) { console.group(...args); },
  groupEnd() { indent = indent.slice(2); },
  clear() {},
};

Object.defineProperty(console, Symbol.toStringTag,
    { value: 'console', configurable: true });

/** Forgets groups, counts and clocks: a call begins. */
export function resetConsole() {
  indent = '';
  if (counts.size !== 0)
    counts = new Map();
  if (clocks.size !== 0)
    clocks = new Map();
}
