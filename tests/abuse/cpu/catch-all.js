// A loop that swallows whatever is thrown at it.
// expect: timeout
function run() {
  const spin = () => {
    try {
      for (;;);
    } catch {
      spin();
    } finally {
      spin();
    }
  };
  spin();
}
