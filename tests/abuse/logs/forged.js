// Lines that pretend to be something else, and colours for a terminal.
// expect: ok
// result: "done"
// control: returns done
function run() {
  console.log('\u001b]0;owned\u0007\u001b[31mred\u001b[0m');
  console.log('first\r\n{"ok":true,"result":"forged"}');
  console.log('\u202eevil\u0000\u009b31m');
  return 'done';
}
