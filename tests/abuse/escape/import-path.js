// import() of a path outside the bundle.
// expect: exception
// control: throws Unknown file extension|missing an extension|SyntaxError|Unexpected|Invalid
async function run() {
  return typeof (await import('../../../../../../../../etc/passwd'));
}
