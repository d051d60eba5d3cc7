// The network, by every name it has.
// expect: ok
// result: "in"
// control: none: the control must not use the network
async function run() {
  const tries = {
    fetch: () => fetch('http://127.0.0.1:9/'),
    metadata: () => fetch('http://169.254.169.254/latest/meta-data/'),
    websocket: () => new WebSocket('ws://127.0.0.1:9/'),
    xhr: () => new XMLHttpRequest(),
    events: () => new EventSource('http://127.0.0.1:9/'),
  };
  const got = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      await attempt();
      got[name] = 'out';
    } catch (error) {
      got[name] = 'refused';
    }
  }
  return Object.values(got).every((how) => how === 'refused') ? 'in' : got;
}
