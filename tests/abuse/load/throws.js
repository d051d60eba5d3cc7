// Throws while it loads, on line 6.
// expect: load_error
// line: 6
// says: no good
// control: throws no good
throw new TypeError('no good today');
