// A stream whose source asks nobody whether there is room.
// expect: memory
function run() {
  new ReadableStream({
    start(sink) {
      for (;;) sink.enqueue(new Uint8Array(65536).fill(1));
    },
  });
}
