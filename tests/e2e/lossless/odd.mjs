// SPDX-License-Identifier: Apache-2.0

// JSON that a parser and a writer would not give back as it was: numbers that
// no double holds or that are spelt oddly, names that are the same once their
// escapes are read, escapes that need not be, names that mean something to a
// JavaScript engine, white space between tokens.

const raw = String.raw;

export const odd = {
  numbers: raw`{"big":123456789012345678901234567890,"exact":9007199254740993,` +
    raw`"zero":-0,"exponent":1E+2,"fraction":1.0,"tiny":1e-400,"long":0.1000000000000000055511151231257827}`,
  names: raw`{"a":1,"\u0061":2,"A":3,"":4,"\u0000":5,"__proto__":{"x":1},"constructor":6,"toString":null}`,
  strings: raw`["\u0041\/\b\f\u001f","\ud83d\ude00 😀","\ud800 alone","\u2028 \u2029","\\u0041","é vs é"]`,
  shape: raw`{ "empty" : { } ,` + '\t' + raw`"list":[ ],"null":null,"deep":[[[[{"x":[[]]}]]]] }`,
};

// All of it as members that no revision knows.
export const members = Object.entries(odd)
  .map(([name, text]) => `"x-${name}":${text}`).join(',');
