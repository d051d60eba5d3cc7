// SPDX-License-Identifier: Apache-2.0

import { native } from '../native.js';
import { dateNow } from '../primordials.js';
import { DOMException } from './domexception.js';

const ENTRIES_MAX = 10000;

let origin = 0;
let entries = [];

class PerformanceEntry {
  constructor(name, entryType, startTime, duration, detail) {
    Object.assign(this, { name, entryType, startTime, duration, detail });
  }

  toJSON() { return { ...this }; }
}

function add(entry) {
  if (entries.length < ENTRIES_MAX)
    entries.push(entry);
  return entry;
}

function timeOf(mark) {
  if (typeof mark === 'number')
    return mark;
  const found = entries.findLast((entry) =>
    entry.entryType === 'mark' && entry.name === `${mark}`);
  if (found === undefined) {
    throw new DOMException(`performance.measure: no mark "${mark}"`,
        'SyntaxError');
  }
  return found.startTime;
}

const without = (type, name) => entries.filter((entry) =>
  entry.entryType !== type || (name !== undefined && entry.name !== `${name}`));

export class Performance {
  now() { return native.now(); }
  get timeOrigin() { return origin; }

  mark(name, options = undefined) {
    return add(new PerformanceEntry(`${name}`, 'mark',
        options?.startTime ?? native.now(), 0, options?.detail ?? null));
  }

  measure(name, from = undefined, to = undefined) {
    const given = typeof from === 'object' && from !== null ? from :
      { start: from, end: to };
    const end = given.end === undefined ? native.now() : timeOf(given.end);
    const start = given.start === undefined ? 0 : timeOf(given.start);
    return add(new PerformanceEntry(`${name}`, 'measure', start,
        end - start, given.detail ?? null));
  }

  clearMarks(name = undefined) { entries = without('mark', name); }
  clearMeasures(name = undefined) { entries = without('measure', name); }
  getEntries() { return [...entries]; }
  getEntriesByName(name, type = undefined) {
    return entries.filter((entry) => entry.name === `${name}` &&
        (type === undefined || entry.entryType === type));
  }
  getEntriesByType(type) {
    return entries.filter((entry) => entry.entryType === type);
  }
  toJSON() { return { timeOrigin: origin }; }
}

/** The clock's origin is now: a call begins. */
export function resetPerformance() {
  origin = dateNow() - native.now();
  if (entries.length !== 0)
    entries = [];
}
