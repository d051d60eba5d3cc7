// Call sites hand out the functions and receivers of the frames below.
// expect: ok
// result: "in"
// control: returns out
function run() {
  Error.prepareStackTrace = (error, sites) => sites;
  const sites = new Error('x').stack;
  delete Error.prepareStackTrace;
  if (!Array.isArray(sites)) return 'in';
  // The tool's own frame is no news; what lies below it would be.
  const below = sites.slice(1).flatMap((site) =>
    [site.getFunction?.(), site.getThis?.()]);
  const files = sites.slice(1).map((site) => site.getFileName?.() ?? '');
  const leaked = below.some((one) =>
    one !== undefined && one !== null && one !== globalThis);
  return leaked || files.some((name) => /^(file:\/\/)?\//.test(name)) ? 'out' : 'in';
}
