// A blob of blobs, doubled.
// expect: memory
// control: none: the blobs of Node.js share their bytes
async function run() {
  let blob = new Blob(['x'.repeat(1 << 20)]);
  for (;;) blob = new Blob([blob, blob]);
}
