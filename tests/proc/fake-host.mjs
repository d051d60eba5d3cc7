// SPDX-License-Identifier: Apache-2.0

// A host that is none: HTTP on an admin socket in a state folder of its own,
// answered by the test; and `cordon` run against it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cordon } from '../lib/paths.mjs';

export const TOKEN = 'cordon_a-token-of-the-tests-own';

export class FakeHost {
  // answer(request, response, body) is asked for each request; what came is
  // kept in `requests`.
  static async start(t, answer) {
    const host = new FakeHost();
    host.state = mkdtempSync(join(tmpdir(), 'cordon-test-'));
    host.socketPath = join(host.state, 'admin.sock');
    writeFileSync(join(host.state, 'token'), `${TOKEN}\n`, { mode: 0o600 });
    host.answer = answer;
    host.requests = [];
    host.children = [];
    await host.listen();
    t.after(async () => {
      for (const child of host.children) child.kill('SIGKILL');
      await host.close();
      rmSync(host.state, { recursive: true, force: true });
    });
    return host;
  }

  async listen() {
    this.server = createServer((request, response) =>
      this.#hear(request, response));
    this.server.listen(this.socketPath);
    await once(this.server, 'listening');
  }

  // Ends every connection, as a host that is killed does.
  async close() {
    if (!this.server?.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  async #hear(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the client went away
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const one = { method: request.method, url: request.url,
      headers: request.headers, body };
    this.requests.push(one);
    await this.answer(one, response, request);
  }

  // Waits until a condition holds of what was asked.
  async until(condition, withinMs = 10_000) {
    const end = Date.now() + withinMs;
    for (;;) {
      const found = condition(this.requests);
      if (found) return found;
      if (Date.now() > end) {
        throw new Error(`not within ${withinMs} ms: ${condition}; asked: ` +
          JSON.stringify(this.requests.map((one) => [one.method, one.url])));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  spawn(...words) {
    const child = spawn(cordon, words, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, CORDON_STATE: this.state },
    });
    this.children.push(child);
    child.text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        child.text[name] += text;
      });
    }
    child.ended = once(child, 'close').then(([code, signal]) => code ?? signal);
    return child;
  }

  // To its end.
  async run(...words) {
    const child = this.spawn(...words);
    child.stdin.end();
    const code = await child.ended;
    return { code, ...child.text };
  }
}

export function sendJson(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
}

// A line at a time of what a child says.
export function lines(child) {
  const waiting = [];
  const came = [];
  let rest = '';
  child.stdout.on('data', (text) => {
    const all = (rest + text).split('\n');
    rest = all.pop();
    for (const line of all) (waiting.shift() ?? ((one) => came.push(one)))(line);
  });
  return () => came.length > 0 ? Promise.resolve(came.shift()) :
    new Promise((resolve) => waiting.push(resolve));
}
