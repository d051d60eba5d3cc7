// The time goes by inside the engine's own sort.
// expect: timeout
function run() {
  return [3, 1, 2].sort(() => {
    for (;;);
  });
}
