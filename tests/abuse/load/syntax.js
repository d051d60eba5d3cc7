// A mistake on line 7.
// expect: load_error
// line: 7
// says: SyntaxError|Unexpected
// control: throws
export default {
  tools: { broken: ( },
};
