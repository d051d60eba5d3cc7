// import() of a file: URL.
// expect: exception
// control: throws ERR_UNKNOWN_FILE_EXTENSION|Unknown file extension|missing an extension|SyntaxError|Unexpected|Invalid
async function run() {
  return typeof (await import('file:///etc/passwd'));
}
