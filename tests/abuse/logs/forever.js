// Log lines without an end.
// expect: timeout
// control: stays
function run() {
  for (;;) console.log('again and again and again');
}
