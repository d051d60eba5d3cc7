// Flat strings, all kept.
// expect: memory
function run() {
  const kept = [];
  for (let i = 0; ; i++) kept.push([...String(i).repeat(1000)].join('-'));
}
