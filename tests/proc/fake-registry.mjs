// SPDX-License-Identifier: Apache-2.0

// A registry of npm on the loopback, whose packages are made byte by byte:
// what an honest packer would never write, too.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

const field = (text, size) => {
  const bytes = Buffer.alloc(size);
  bytes.write(text);
  return bytes;
};
const octal = (number, size) =>
  field(number.toString(8).padStart(size - 1, '0'), size);

// One file of a tar archive (POSIX ustar).
function tarFile({ path, text = '', mode = 0o644, type = '0', link = '' }) {
  const body = Buffer.from(text);
  const head = Buffer.concat([
    field(path, 100), octal(mode, 8), octal(0, 8), octal(0, 8),
    octal(body.length, 12), octal(0, 12), field('        ', 8),
    field(type, 1), field(link, 100), field('ustar\0' + '00', 8),
    Buffer.alloc(247),
  ]);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const rest = (512 - body.length % 512) % 512;
  return Buffer.concat([head, body, Buffer.alloc(rest)]);
}

export class FakeRegistry {
  constructor() {
    this.packages = new Map();
    this.requests = [];
    this.token = null; // whoever asks must have it
    this.isSilent = false; // takes requests and never answers
  }

  async start() {
    this.server = createServer((request, response) =>
      this.answer(request, response));
    await new Promise((resolve) =>
      this.server.listen(0, '127.0.0.1', resolve));
    this.host = `127.0.0.1:${this.server.address().port}`;
    this.url = `http://${this.host}/`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  // `files`: path → text, or what tarFile() takes.
  publish(manifest, files = {}, { integrity } = {}) {
    const { name, version } = manifest;
    const entries = [{ path: 'package/package.json',
      text: JSON.stringify(manifest) }];
    for (const [path, file] of Object.entries(files)) {
      entries.push(typeof file === 'string' ?
        { path: `package/${path}`, text: file } :
        { path: `package/${path}`, ...file });
    }
    const tarball = gzipSync(Buffer.concat(
      [...entries.map(tarFile), Buffer.alloc(1024)]));
    const known = this.packages.get(name) ?? { versions: new Map() };
    known.latest = version;
    known.versions.set(version, { manifest, tarball,
      integrity: integrity ??
        `sha512-${createHash('sha512').update(tarball).digest('base64')}` });
    this.packages.set(name, known);
  }

  packument(name, known) {
    const versions = {};
    for (const [version, { manifest, integrity }] of known.versions) {
      const scripts = Object.keys(manifest.scripts ?? {});
      versions[version] = { ...manifest,
        hasInstallScript: scripts.some((script) =>
          ['preinstall', 'install', 'postinstall'].includes(script)),
        dist: { integrity,
          tarball: `${this.url}${name}/-/package-${version}.tgz` } };
    }
    return { name, 'dist-tags': { latest: known.latest }, versions };
  }

  answer(request, response) {
    const path = decodeURIComponent(request.url.slice(1));
    this.requests.push(path);
    if (this.isSilent) return;
    if (this.token !== null &&
        request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end('{}');
      return;
    }
    const [name, file] = path.split('/-/');
    const known = this.packages.get(name);
    const version = file?.match(/^package-(.*)\.tgz$/)?.[1];
    if (known && version && known.versions.has(version)) {
      response.end(known.versions.get(version).tarball);
    } else if (known && file === undefined) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(this.packument(name, known)));
    } else {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"error":"Not found"}');
    }
  }
}
