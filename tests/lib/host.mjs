// SPDX-License-Identifier: Apache-2.0

// A `cordon serve` of the test's own: a free port, a state folder that goes
// with it, and every process watched.

import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cordon, patience } from './paths.mjs';
import { treeOf, until, watchTree } from './processes.mjs';

// The words of `cordon serve --json`: one JSON object a line on stdout.
function lineReader(stream, onObject) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      try {
        onObject(JSON.parse(line), line);
      } catch {
        onObject(undefined, line);
      }
    }
  });
}

export class Host {
  // `folder`: one of an earlier host, whose state this one goes on with.
  static async start({ servers, files = {}, config, args = [], folder,
    listen = ['--listen', '127.0.0.1:0'] }) {
    const host = new Host();
    host.folder = folder ?? mkdtempSync(join(tmpdir(), 'cordon-test-'));
    host.log = [];
    if (config) files = { ...files, 'cordon.json': JSON.stringify(config) };
    const folders = [...(servers ?? []), ...host.#write(files)];
    host.#spawn(['serve', '--json', ...listen,
      ...args, ...folders]);
    try {
      await until('the host to listen', () => {
        if (host.exit !== undefined) throw new Error('it ended at once');
        return host.url;
      }, 30_000 * patience);
    } catch (error) {
      await host.kill();
      throw new Error(`${error.message}: ${host.log.join('\n')}`);
    }
    return host;
  }

  #write(files) {
    if (Object.keys(files).length === 0) return [];
    const folder = join(this.folder, 'servers');
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), text);
    }
    return [folder];
  }

  #spawn(words) {
    this.child = spawn(cordon, words, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CORDON_STATE: join(this.folder, 'state') },
    });
    this.child.on('error', (error) => this.log.push(String(error)));
    this.ended = new Promise((done) => {
      this.child.on('close', (code, signal) => {
        this.exit = { code, signal };
        done(this.exit);
      });
    });
    this.tree = watchTree(this.child.pid, 200);
    lineReader(this.child.stdout, (said, line) => this.#hear(said, line));
    lineReader(this.child.stderr, (_, line) => this.log.push(line));
  }

  #hear(said, line) {
    this.log.push(line);
    if (said?.url === undefined) return;
    this.url = said.url;
    if (said.token_file) {
      this.token = readFileSync(said.token_file, 'utf8').trim();
    }
  }

  get headers() {
    return { authorization: `Bearer ${this.token}` };
  }

  endpoint(server) {
    return `${this.url}/s/${server}/mcp`;
  }

  // A bare request, as any HTTP client would make it.
  fetch(server, init = {}) {
    return fetch(this.endpoint(server), {
      ...init,
      headers: { ...this.headers, ...init.headers },
    });
  }

  // What a Workers-style bundle serves besides MCP.
  page(server, path, init = {}) {
    return fetch(`${this.url}/s/${server}${path}`, {
      ...init,
      headers: { ...this.headers, ...init.headers },
    });
  }

  // The processes of this kind. A template and its cells share the zygote's
  // command line: where there is a name of our own, that decides.
  processes(kind) {
    return treeOf(this.child.pid).filter(({ name, title }) =>
      name.startsWith('cordon-') ? name === kind.slice(0, 15) : title.startsWith(kind));
  }

  // Ends it politely; answers with its end and what was left behind.
  async stop(signal = 'SIGTERM') {
    this.tree.look();
    if (this.exit === undefined) process.kill(this.child.pid, signal);
    const exit = await this.ended;
    const left = await this.tree.left();
    rmSync(this.folder, { recursive: true, force: true });
    return { exit, left };
  }

  async kill() {
    this.tree.look();
    for (const { pid } of this.tree.seen()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended meanwhile
      }
    }
    await this.ended;
    this.tree.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
