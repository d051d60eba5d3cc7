// A stream is split again and again.
// expect: timeout
async function run() {
  let stream = new ReadableStream({ pull(sink) { sink.enqueue('x'); } });
  for (;;) {
    const [first, second] = stream.tee();
    stream = first;
    await second.getReader().read();
  }
}
