// SPDX-License-Identifier: Apache-2.0
// results.svg: four panels, logarithmic, drawn by hand.

import { peers } from './peers.mjs';

const INK = '#1f2933', FAINT = '#d5dbe1', OWN = '#0b7a75', THEIRS = '#8896a5';
const COLOURS = ['#c05746', '#d08c2e', '#7a6ff0', '#4a90c2', '#9b5094', '#6b8e23', '#a0785a', '#c94f7c', '#5c6b7a'];
const PANEL = { width: 560, height: 330 };
const MARGIN = { left: 200, right: 70, top: 40, bottom: 40 };

const escape = (text) => String(text).replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);
const text = (x, y, words, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;
const line = (x1, y1, x2, y2, more) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${more}/>`;
const round = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))));

// A logarithmic scale over whole decades that hold every value.
function scale(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const at = (value) => from + (Math.log10(value) - low) / (high - low) * (to - from);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { at, ticks };
}

function panel(x, y, title, inside) {
  return `<g transform="translate(${x},${y})">${text(10, 22, title, 'font-weight="600" font-size="14"')}${inside}</g>`;
}

function bars(of, title, x, y) {
  const rows = [{ label: 'cordon', own: true, ...(of.cordon?.latency ?? {}) },
    ...peers.filter(({ name }) => of[name]?.latency !== undefined).map(({ name, label }) => ({ label, ...of[name].latency }))]
    .filter(({ p50 }) => p50 > 0).sort((a, b) => a.p50 - b.p50);
  if (rows.length === 0) return '';
  const right = PANEL.width - MARGIN.right;
  const { at, ticks } = scale(rows.flatMap(({ p50, p99 }) => [p50, p99 ?? p50]), MARGIN.left, right);
  const step = (PANEL.height - MARGIN.top - MARGIN.bottom) / rows.length;
  const bottom = PANEL.height - MARGIN.bottom;
  const grid = ticks.map((tick) => line(at(tick), MARGIN.top, at(tick), bottom, `stroke="${FAINT}"`) +
    text(at(tick), bottom + 16, `${round(tick)} ms`, 'text-anchor="middle"'));
  const drawn = rows.map(({ label, own, p50, p99 }, i) => {
    const top = MARGIN.top + i * step + step * 0.2, high = step * 0.6, colour = own ? OWN : THEIRS;
    const whisker = p99 > p50 ? line(at(p50), top + high / 2, at(p99), top + high / 2, `stroke="${colour}" stroke-width="2"`) : '';
    return text(MARGIN.left - 6, top + high * 0.75, label.replace(/, no permissions| for all calls|isolate (?=from)/, ''), `text-anchor="end"${own ? ' font-weight="700"' : ''}`) +
      `<rect x="${MARGIN.left}" y="${top.toFixed(1)}" width="${(at(p50) - MARGIN.left).toFixed(1)}" height="${high.toFixed(1)}" fill="${colour}"/>` +
      whisker + text(at(p99 ?? p50) + 5, top + high * 0.75, round(p50));
  });
  return panel(x, y, title, grid.join('') + drawn.join(''));
}

function curves(series, title, unit, xUnit, x, y) {
  const drawnSeries = series.filter(({ points }) => points.length > 1);
  if (drawnSeries.length === 0) return '';
  const left = 70, right = PANEL.width - 190, bottom = PANEL.height - MARGIN.bottom;
  const all = drawnSeries.flatMap(({ points }) => points);
  const sx = scale(all.map(([value]) => value), left, right);
  const sy = scale(all.map(([, value]) => value), bottom, MARGIN.top);
  const grid = [
    ...sx.ticks.map((tick) => line(sx.at(tick), MARGIN.top, sx.at(tick), bottom, `stroke="${FAINT}"`) +
      text(sx.at(tick), bottom + 16, `${tick} ${xUnit}`, 'text-anchor="middle"')),
    ...sy.ticks.map((tick) => line(left, sy.at(tick), right, sy.at(tick), `stroke="${FAINT}"`) +
      text(left - 6, sy.at(tick) + 4, `${round(tick)} ${unit}`, 'text-anchor="end"')),
  ];
  const drawn = drawnSeries.map(({ label, own, points }, i) => {
    const colour = own ? OWN : COLOURS[i % COLOURS.length];
    const path = points.map(([px, py]) => `${sx.at(px).toFixed(1)},${sy.at(py).toFixed(1)}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="${own ? 3 : 1.5}"/>` +
      points.map(([px, py]) => `<circle cx="${sx.at(px).toFixed(1)}" cy="${sy.at(py).toFixed(1)}" r="${own ? 3.5 : 2.5}" fill="${colour}"/>`).join('') +
      `<rect x="${right + 12}" y="${MARGIN.top + i * 18}" width="12" height="4" fill="${colour}"/>` +
      text(right + 30, MARGIN.top + i * 18 + 6, label.replace(/, .*/, (rest) => (/snapshot/.test(rest) ? ', snapshot' : '')), own ? 'font-weight="700"' : '');
  });
  return panel(x, y, title, grid.join('') + drawn.join(''));
}

function heapSeries(results, heaps) {
  const points = (name) => heaps.map((mib) => [mib, results[`heap-${mib}`]?.[name]?.latency?.p50]).filter(([, value]) => value > 0);
  return [{ label: 'cordon', own: true, points: points('cordon') },
    ...peers.filter(({ fresh }) => fresh).map(({ name, label }) => ({ label, points: points(name) }))];
}

function densitySeries(results) {
  const own = (section) => Object.entries(results[section] ?? {}).filter(([name, row]) => name.startsWith('cordon-') && row.p50 > 0)
    .map(([, row]) => [row.count, row.p50]);
  const theirs = (section) => (results[section]?.workerd?.density ?? []).filter(({ p50 }) => p50 > 0).map((row) => [row.count, row.p50]);
  return [{ label: 'cordon', own: true, points: own('density-tiny') },
    { label: 'workerd (warm isolate)', points: theirs('density-tiny') }];
}

export function plot({ results, size }) {
  const { width, height } = PANEL;
  const panels = [
    bars(results.tiny ?? {}, 'A tiny tool: p50, line to p99', 0, 0),
    bars(results['sdk-v2'] ?? {}, 'An official SDK server: p50, line to p99', width, 0),
    curves(heapSeries(results, size.heaps), 'A call against the state that the tool holds: p50', 'ms', 'MiB', 0, height),
    curves(densitySeries(results), 'A call among so many resident deployments: p50', 'ms', '', width, height),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * width} ${2 * height}" font-family="system-ui, sans-serif" font-size="11" fill="${INK}">
<rect width="100%" height="100%" fill="#ffffff"/>
${panels.join('\n')}
</svg>
`;
}
