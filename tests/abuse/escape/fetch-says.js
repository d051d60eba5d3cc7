// fetch says why it cannot: no egress was granted.
// expect: exception
// says: egress
// control: none: the control must not use the network
async function run() {
  await fetch('http://127.0.0.1:9/');
}
