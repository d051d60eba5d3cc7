// SPDX-License-Identifier: Apache-2.0

// An authority of the test's own, and the certificates that it signs.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function openssl(words, input) {
  const { status, stdout, stderr, error } = spawnSync('openssl', words,
    { input, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`);
  return stdout;
}

const isAddress = (name) => /^[0-9.]+$|:/.test(name);

export class Authority {
  // Files in `folder`: NAME.pem (certificate) and NAME.key.
  constructor(folder, name = 'ca') {
    this.folder = folder;
    this.key = join(folder, `${name}.key`);
    this.path = join(folder, `${name}.pem`);
    this.made = new Map();
    openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt',
      'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
      `/CN=the world's ${name}`, '-keyout', this.key, '-out', this.path,
      '-addext', 'basicConstraints=critical,CA:TRUE',
      '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
    this.leafKey = openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt',
      'ec_paramgen_curve:P-256']);
    this.leafKeyPath = join(folder, `${name}-leaf.key`);
    writeFileSync(this.leafKeyPath, this.leafKey, { mode: 0o600 });
  }

  // Key and certificate for these names; days below 0: it has expired.
  certificate(names, { days = 20 } = {}) {
    const id = `${days} ${names.join(' ')}`;
    if (!this.made.has(id)) this.made.set(id, this.#make(names, days));
    return { key: this.leafKey, cert: this.made.get(id) };
  }

  #make(names, days) {
    const alternatives = names.map((name) =>
      `${isAddress(name) ? 'IP' : 'DNS'}:${name}`).join(',');
    const request = openssl(['req', '-new', '-key', this.leafKeyPath, '-subj',
      '/CN=origin']);
    const extensions = join(this.folder, 'extensions');
    writeFileSync(extensions, `subjectAltName=${alternatives}\n` +
      'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n');
    const leaf = openssl(['x509', '-req', '-CA', this.path, '-CAkey', this.key,
      '-set_serial', String(1 + Math.floor(Math.random() * 2 ** 40)),
      '-days', String(days), '-extfile', extensions], request);
    return leaf + readFileSync(this.path, 'utf8');
  }
}
