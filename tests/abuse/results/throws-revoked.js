// Throws a revoked proxy: any touch throws again.
// expect: exception
// control: none: a naive host breaks on touching it
function run() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  throw proxy;
}
