// Lone surrogates come back as they went, as valid UTF-8.
// expect: ok
// result: ["\ud800", "\udc00x", "\ud83d\ude00"]
// control: returns
function run() {
  return ['\ud800', '\udc00x', '\ud83d\ude00'];
}
