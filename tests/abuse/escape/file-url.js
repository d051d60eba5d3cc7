// Reading a file of the host through fetch.
// expect: exception
// control: none: Node.js does not read files by fetch either
async function run() {
  return (await fetch('file:///etc/passwd')).text();
}
