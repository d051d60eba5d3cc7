// SPDX-License-Identifier: Apache-2.0
// The process tier: a program in a box, beside what else walls programs in. All
// get an empty root with /usr read-only, a /proc, a /dev and a /tmp of their
// own; what each lacks stands in its row.

import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from './binaries.mjs';
import { scratch } from './files.mjs';
import { lineLoad, stdio } from './gateway.mjs';
import { processKib, tree } from './proc.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const LINKS = ['bin', 'sbin', 'lib', 'lib64'].filter((name) => existsSync(`/${name}`));
const MIB = 1 << 20;

// crun refuses control groups of v1 where v2 is mounted beside them: there it is
// measured, and all others with it, where v2 is not mounted.
const V1_ONLY = existsSync('/sys/fs/cgroup/unified') && process.getuid() === 0
  ? ['unshare', '--mount', 'sh', '-c', 'umount /sys/fs/cgroup/unified && exec "$@"', 'sh'] : [];

const denials = (level) => (build, argv, reads) => [join(build, 'cordon'), 'wrap', '--profile', 'none',
  '--denials', level, ...reads.flatMap((path) => ['--read', path]), '--', ...argv];

function bwrap(build, argv, reads) {
  return ['bwrap', '--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--setenv', 'PATH', '/usr/bin',
    '--ro-bind', '/usr', '/usr', ...LINKS.flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    '--ro-bind', '/etc/ld.so.cache', '/etc/ld.so.cache', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp',
    ...reads.flatMap((path) => ['--ro-bind', path, path]), '--remount-ro', '/', '--', ...argv];
}

const firejail = (build, argv) => ['firejail', '--quiet', '--noprofile', '--private-dev', '--private-tmp', '--net=none',
  '--ipc-namespace', '--caps.drop=all', '--nonewprivs', '--seccomp', '--read-only=/', '--', ...argv];

const mount = (destination, type, options = [], source = type) => ({ destination, type, source, options });

// A bundle for runc and crun: as small as the others' boxes, with the memory and
// pids limits that a box of cordon has by default.
function bundle(argv, reads) {
  const bind = (path) => mount(path, 'bind', ['rbind', 'ro', 'nosuid', 'nodev'], path);
  const mapping = [{ containerID: 0, hostID: 1910000000, size: 2000 }];
  const kinds = ['pid', 'mount', 'network', 'ipc', 'uts', 'cgroup', 'user'];
  return { ociVersion: '1.0.0', hostname: 'box', root: { path: 'root', readonly: true },
    process: { terminal: false, user: { uid: 1000, gid: 1000 }, cwd: '/', args: argv, env: ['PATH=/usr/bin:/bin'],
      capabilities: {}, noNewPrivileges: true },
    mounts: [mount('/proc', 'proc'), mount('/dev', 'tmpfs', ['nosuid', 'mode=755']),
      mount('/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777']), bind('/usr'), bind('/etc/ld.so.cache'), ...reads.map(bind)],
    linux: { uidMappings: mapping, gidMappings: mapping, namespaces: kinds.map((type) => ({ type })),
      resources: { memory: { limit: 2048 * MIB }, pids: { limit: 512 } },
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list'], readonlyPaths: ['/proc/sys', '/proc/bus'] } };
}

const oci = (name) => (build, argv, reads) => {
  const key = `${name}-${argv.join(' ').replace(/\W+/g, '-').slice(-80)}`;
  const config = scratch(`${key}/config.json`, JSON.stringify(bundle(argv, reads)));
  const root = join(dirname(config), 'root');
  rmSync(root, { recursive: true, force: true });
  chmodSync(dirname(dirname(config)), 0o755); // a mapped root is nobody here
  for (const part of ['usr', 'proc', 'dev', 'tmp']) mkdirSync(join(root, part), { recursive: true });
  for (const path of ['/etc/ld.so.cache', ...reads]) {
    mkdirSync(join(root, statSync(path).isDirectory() ? path : dirname(path)), { recursive: true });
    if (!statSync(path).isDirectory()) writeFileSync(join(root, path), '');
  }
  for (const link of LINKS) symlinkSync(`usr/${link}`, join(root, link));
  return [name, 'run', '--bundle', dirname(config), `cordon-bench-${process.pid}-${name}`];
};

function srt(build, argv) {
  const settings = scratch('srt.json', JSON.stringify({ network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: [], denyWrite: [] } }));
  return [binary('node'), here('../node_modules/@anthropic-ai/sandbox-runtime/dist/cli.js'), '--settings', settings, ...argv];
}

export const boxes = [
  { name: 'direct', label: 'no walls', walls: 'none', command: (build, argv) => argv },
  { name: 'cordon', label: 'cordon wrap', command: denials('files'),
    walls: 'all namespaces, Landlock, seccomp, control group; refused files and calls are told' },
  { name: 'cordon-quiet', label: 'cordon wrap --denials none', command: denials('none'),
    walls: 'the same; nothing is told' },
  { name: 'bwrap', label: 'bwrap', command: bwrap, walls: 'all namespaces; no Landlock, no seccomp, no control group' },
  { name: 'crun', label: 'crun', command: oci('crun'), clear: 'crun', walls: 'all namespaces, control group; no Landlock, no seccomp' },
  { name: 'runc', label: 'runc', command: oci('runc'), clear: 'runc', walls: 'all namespaces, control group; no Landlock, no seccomp' },
  { name: 'firejail', label: 'firejail', command: firejail,
    walls: 'namespaces but user, seccomp; the host\'s files are all there, read-only' },
  { name: 'srt', label: 'srt', command: srt,
    walls: 'bwrap without a control group, proxies on the host; the host\'s files are all there, read-only', slow: true },
];

const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/tmp' };

// What it prints; the error is the reason why it does not run here.
async function tried(build, box, argv, reads) {
  const [file, ...args] = [...V1_ONLY, ...box.command(build, argv, reads)];
  try {
    return (await run(file, args, { env, timeout: 20000, maxBuffer: MIB })).stdout;
  } catch ({ message, stderr }) {
    throw new Error((stderr || message).trim().split('\n').at(-1).slice(0, 200));
  }
}

// Everybody's starts of one command in one run, each in turn.
export async function starts(build, argv, reads, { rounds, seconds }) {
  const results = {}, ready = [];
  for (const box of boxes) {
    try {
      await tried(build, box, argv, reads);
      ready.push(box);
    } catch ({ message }) {
      results[box.name] = { error: message };
    }
  }
  const slow = ready.filter((box) => box.slow), fast = ready.filter((box) => !box.slow);
  for (const [group, count] of [[fast, rounds], [slow, Math.ceil(rounds / 20)]]) {
    if (group.length === 0) continue;
    const args = [count, seconds, ...group.flatMap((box) => ['---', ...box.command(build, argv, reads)])].map(String);
    const [file, ...more] = [...V1_ONLY, join(build, 'start-load'), ...args];
    const { stdout } = await run(file, more, { env, maxBuffer: MIB });
    const said = stdout.trim().split('\n').map((line) => JSON.parse(line));
    group.forEach(({ name }, i) => {
      const { cpuMs } = said[2 * i], of = said[2 * i + 1];
      results[name] = of.failed > 0 ? { error: `${of.failed} starts failed: ${of.failure}` }
        : { latency: { ...of, p99: of.calls < 20 ? null : of.p99 }, cpuMs };
    });
  }
  return { each: results };
}

export function nodeStart() {
  const node = realpathSync(binary('node'));
  return [[node, '-e', '0'], [dirname(dirname(node))]];
}

// What system calls cost inside, in nanoseconds.
export async function inside(build, box, seconds) {
  const file = join(build, 'inside-load');
  return { ns: JSON.parse(await tried(build, box, [file, String(seconds)], [file])) };
}

// The processes that wait while the program runs: all but the program.
export async function wrapperMemory(build, box) {
  const command = box.command(build, ['sleep', '30'], []);
  const [file, ...args] = [...V1_ONLY, ...command];
  const child = spawn(file, args, { env, stdio: 'ignore' });
  const gone = new Promise((done) => { child.on('close', done); child.on('error', done); });
  const isProgram = ({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n';
    } catch {
      return false;
    }
  };
  try {
    for (let tries = 0; tries < 100; tries++, await sleep(50)) {
      const all = tree(child.pid);
      if (!all.some(isProgram)) continue;
      await sleep(300);
      const others = tree(child.pid).filter((one) => !isProgram(one));
      return { processes: others.length, kib: others.reduce((sum, { pid }) => sum + processKib(pid).pss, 0) };
    }
    throw new Error('the program did not start');
  } finally {
    // With the program ends what waits for it, in its own way.
    for (const { pid } of tree(child.pid).filter(isProgram)) process.kill(pid, 'SIGTERM');
    await Promise.race([gone, sleep(3000)]);
    child.kill('SIGKILL');
    await gone;
    if (box.clear !== undefined) await run(box.clear, ['delete', '--force', command.at(-1)]).catch(() => {});
  }
}

// A stdio server whose box its client starts: the pipes are the client's own.
export async function inBox(build, name, job) {
  const box = boxes.find((one) => one.name === name);
  const [node, server] = stdio.map((path) => realpathSync(path));
  const modules = dirname(realpathSync(here('../node_modules/zod')));
  const reads = [dirname(dirname(node)), resolve(dirname(server), '..'), modules];
  const command = box.command(build, [node, server], reads);
  const latency = await lineLoad(build, 1, job.calls, job.seconds, command);
  const throughput = [];
  for (const inflight of job.lanes)
    throughput.push({ inflight, ...await lineLoad(build, inflight, 200000, job.throughputSeconds, command) });
  return { latency, throughput };
}
