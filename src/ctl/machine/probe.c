/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/machine/probe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/fd.h"
#include "box/cgroup.h"
#include "box/landlock.h"
#include "box/launch.h"
#include "box/limits.h"
#include "ctl/libexec.h"

#define NAMESPACES                                                             \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |           \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define MACHINE_NAME "arm64"
#else
#error "no engine is built for this architecture"
#endif

static void __attribute__((format(printf, 3, 4)))
found(struct ctl_finding *finding, enum ctl_probe_state state,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	finding->state = state;
}

static void __attribute__((format(printf, 2, 3)))
advise(struct ctl_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, args);
	va_end(args);
}

static void
kernel_probe(struct ctl_finding *finding)
{
	struct utsname name;

	uname(&name);
	found(finding, CTL_PROBE_OK, "%s %s, %s", name.sysname, name.release,
	    name.machine);
}

static void
machine_probe(struct ctl_finding *finding)
{
	const long pages = sysconf(_SC_PHYS_PAGES);
	const long size = sysconf(_SC_PAGESIZE);

	found(finding, CTL_PROBE_OK, "%ld processors, %ld MiB of memory",
	    sysconf(_SC_NPROCESSORS_ONLN), pages / 1024 * size / 1024);
}

static int
text_write(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* In the new namespaces: what the box does there first. Exits with an errno. */
static void __attribute__((noreturn))
namespaces_try(unsigned int uid, unsigned int gid)
{
	char map[64];
	int r;

	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	r = text_write("/proc/self/uid_map", map);
	if (r == 0)
		r = text_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	if (r == 0)
		r = text_write("/proc/self/gid_map", map);
	if (r == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = -errno;
	if (r == 0 && mount("cordon", "/proc", "tmpfs", 0, "size=4k") < 0)
		r = -errno;
	_exit(-r & 0xff);
}

static void
namespaces_refused(struct ctl_finding *finding, const char *step, int error)
{
	found(finding, CTL_PROBE_MISSING, "%s: %s", step, strerror(error));
	if (access("/proc/self/ns/user", F_OK) < 0)
		advise(finding, "the kernel needs CONFIG_USER_NS");
	else
		advise(finding,
		    "allow them: sysctl user.max_user_namespaces=15000, "
		    "kernel.unprivileged_userns_clone=1, "
		    "kernel.apparmor_restrict_unprivileged_userns=0 (those "
		    "that exist here); in a container, its seccomp profile "
		    "must allow clone and mount");
}

static void
namespaces_probe(struct ctl_finding *finding)
{
	const unsigned int uid = geteuid(), gid = getegid();
	int status;

	const long pid =
	    syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0) {
		namespaces_refused(finding, "clone", errno);
		return;
	}
	if (pid == 0)
		namespaces_try(uid, gid);

	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		found(finding, CTL_PROBE_OK,
		    "user, mount, pid, net, ipc, uts, cgroup; a mount inside");
	else
		namespaces_refused(finding, "inside them",
		    WIFEXITED(status) ? WEXITSTATUS(status) : EPERM);
}

static void
seccomp_probe(struct ctl_finding *finding)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
		found(finding, CTL_PROBE_OK, "filters, killing the process");
		return;
	}
	found(finding, CTL_PROBE_MISSING, "filters: %s", strerror(errno));
	advise(finding, "the kernel needs CONFIG_SECCOMP_FILTER (Linux 4.14)");
}

static void
calls_missing(struct ctl_finding *finding, const char *name, const char *since)
{
	found(finding, CTL_PROBE_MISSING, "no %s: %s", name, strerror(errno));
	advise(finding, "%s is in Linux %s and later", name, since);
}

static void
clone3_probe(struct ctl_finding *finding)
{
	/* Too small a size is EINVAL where the call exists. */
	if (syscall(SYS_clone3, NULL, 0) < 0 && errno != EINVAL)
		calls_missing(finding, "clone3", "5.3");
	else
		found(finding, CTL_PROBE_OK, "there");
}

static void
pidfd_probe(struct ctl_finding *finding)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		calls_missing(finding, "pidfd_open", "5.3");
	else
		found(finding, CTL_PROBE_OK, "there");
}

static void
memfd_probe(struct ctl_finding *finding)
{
	auto_close int fd = -1;

	const int r = fd_memfd_seal("probe", "x", 1, &fd);
	if (r == 0) {
		found(finding, CTL_PROBE_OK, "sealed against change");
		return;
	}
	errno = -r;
	calls_missing(finding, "memfd_create with seals", "3.17");
}

static void
close_range_probe(struct ctl_finding *finding)
{
	if (syscall(SYS_close_range, ~0u, ~0u, 0) < 0)
		calls_missing(finding, "close_range", "5.9");
	else
		found(finding, CTL_PROBE_OK, "there");
}

static void
openat2_probe(struct ctl_finding *finding)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	auto_close int fd =
	    (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

	if (fd < 0)
		calls_missing(finding, "openat2", "5.6");
	else
		found(finding, CTL_PROBE_OK, "there");
}

/* `version` of the hierarchy that holds the limit; 0: none does. */
static void
controller_found(
    struct ctl_finding *finding, const struct cgroup *cgroup, int version)
{
	const char *complaint = cgroup_complaint(cgroup);

	if (version > 0) {
		found(finding, CTL_PROBE_OK, "v%d", version);
		return;
	}
	found(finding, CTL_PROBE_WEAKER, "%.250s",
	    complaint != NULL ? complaint : "not there");
	advise(finding,
	    "what runs is still held by rlimits and timers; for a bound on all "
	    "of it together, run as root or in a delegated scope: "
	    "systemd-run --user --scope -p Delegate=yes cordon ...");
}

enum controller { MEMORY, PIDS, CPU };

static void
controller_probe(struct ctl_finding *finding, enum controller controller)
{
	struct cgroup *cgroup = NULL;

	const int r = cgroup_new(&cgroup);
	if (r < 0) {
		found(finding, CTL_PROBE_WEAKER, "%s", strerror(-r));
		return;
	}
	const struct cgroup_can can = cgroup_can(cgroup);
	const int versions[] = {
		[MEMORY] = can.memory, [PIDS] = can.pids, [CPU] = can.cpu
	};
	controller_found(finding, cgroup, versions[controller]);
	cgroup_free(cgroup);
}

static void
memory_probe(struct ctl_finding *finding)
{
	controller_probe(finding, MEMORY);
}

static void
pids_probe(struct ctl_finding *finding)
{
	controller_probe(finding, PIDS);
}

static void
cpu_probe(struct ctl_finding *finding)
{
	controller_probe(finding, CPU);
}

static void
files_probe(struct ctl_finding *finding)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	found(finding, limit.rlim_max < 4096 ? CTL_PROBE_WEAKER : CTL_PROBE_OK,
	    "%llu, raised to %llu", (unsigned long long)limit.rlim_cur,
	    (unsigned long long)limit.rlim_max);
	if (limit.rlim_max < 4096)
		advise(finding,
		    "many cells need more: ulimit -Hn 65536 before the start");
}

static void
processes_probe(struct ctl_finding *finding)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		found(finding, CTL_PROBE_OK, "no end");
	else
		found(finding,
		    limit.rlim_cur < 1024 ? CTL_PROBE_WEAKER : CTL_PROBE_OK,
		    "%llu", (unsigned long long)limit.rlim_cur);
	if (limit.rlim_cur < 1024)
		advise(finding, "each cell is a process: ulimit -u 4096");
}

static void
files_of_ours_probe(struct ctl_finding *finding)
{
	static const char *const names[] = { "cordon-supervisor",
		"cordon-gateway", "cordon-cell.so", "cordon-platform.js" };
	char path[PATH_MAX];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (ctl_libexec_find(names[i], path, &err) == 0)
			continue;
		found(finding, CTL_PROBE_MISSING, "no %s", names[i]);
		advise(finding, "build or install the program again");
		return;
	}
	found(finding, CTL_PROBE_OK, "supervisor, gateway, cell, platform");
}

/* What `node --version` says, without its line break. */
static int
engine_version(const char *path, char *text, size_t size)
{
	char command[PATH_MAX + 32];

	for (const char *c = path; *c != '\0'; c++) {
		if (*c == '\'')
			return -EINVAL;
	}
	snprintf(command, sizeof(command), "'%s' --version 2>&1", path);

	FILE *pipe = popen(command, "re");
	if (pipe == NULL)
		return -errno;
	const bool got = fgets(text, (int)size, pipe) != NULL;
	const int status = pclose(pipe);
	text[strcspn(text, "\n")] = '\0';
	return got && status == 0 ? 0 : -ENOEXEC;
}

static int
engine_machine(const char *path, unsigned int *machine)
{
	Elf64_Ehdr head;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, &head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	*machine = head.e_machine;
	return 0;
}

static void
engine_probe(struct ctl_finding *finding)
{
	static const char again[] =
	    "run npm ci and build again; the package is named in package.json";
	char path[PATH_MAX], version[64] = "";
	unsigned int machine = 0;
	struct err err;

	if (ctl_libexec_find("engine/node", path, &err) != 0) {
		found(finding, CTL_PROBE_MISSING, "no engine/node");
		advise(finding, "%s", again);
		return;
	}
	if (engine_machine(path, &machine) != 0) {
		found(finding, CTL_PROBE_MISSING, "%.200s is no program", path);
		advise(finding, "%s", again);
		return;
	}
	if (machine != MACHINE) {
		found(finding, CTL_PROBE_MISSING,
		    "built for ELF machine %u, this is " MACHINE_NAME, machine);
		advise(finding, "%s", again);
		return;
	}
	if (engine_version(path, version, sizeof(version)) != 0) {
		found(
		    finding, CTL_PROBE_MISSING, "does not run: %.64s", version);
		advise(finding, "%s", again);
		return;
	}
	found(finding, CTL_PROBE_OK,
	    "V8 of Node.js %.32s, " MACHINE_NAME ", %.150s", version, path);
}

/* ---- boxes ---------------------------------------------------------------- */

/* Starts the smallest box there is. */
static void
box_walls_probe(struct ctl_finding *finding)
{
	struct err err = { "" };

	if (box_probe(&err) == 0) {
		found(
		    finding, CTL_PROBE_OK, "a program ran behind all of them");
		return;
	}
	found(finding, CTL_PROBE_MISSING, "%s", err.text);
	advise(finding, "nothing runs in a box until then");
}

static void
box_landlock_probe(struct ctl_finding *finding)
{
	const int abi = box_landlock_abi();

	if (abi == 0) {
		found(finding, CTL_PROBE_MISSING, "no Landlock");
		advise(finding,
		    "the kernel needs CONFIG_SECURITY_LANDLOCK (Linux 5.13), "
		    "and lsm=landlock,... in its command line");
		return;
	}
	found(finding, CTL_PROBE_OK,
	    abi >= 6 ? "ABI %d: files; signals and abstract sockets"
		     : "ABI %d: files; signals and abstract sockets are left "
		       "to the namespaces",
	    abi);
}

static void
box_user_probe(struct ctl_finding *finding)
{
	if (geteuid() == 0)
		found(finding, CTL_PROBE_OK,
		    "each is host uid %u + its launcher's pid, nobody else",
		    BOX_PAYLOAD_UID_BASE);
	else
		found(finding, CTL_PROBE_OK, "each is this user, uid %u",
		    geteuid());
}

static void
box_limits_probe(struct ctl_finding *finding)
{
	static const struct box_limits limits = BOX_LIMITS_DEFAULT;
	char text[BOX_LIMITS_TEXT_MAX];
	struct cgroup *cgroup = NULL;

	if (cgroup_new(&cgroup) != 0)
		return;
	box_limits_describe(&limits, cgroup, text);
	const struct cgroup_can can = cgroup_can(cgroup);
	cgroup_free(cgroup);
	found(finding,
	    can.memory && can.pids && can.cpu ? CTL_PROBE_OK : CTL_PROBE_WEAKER,
	    "%s", text);
}

const struct ctl_probe ctl_probes[] = {
	{ CTL_PROBE_CELLS, "kernel", kernel_probe },
	{ CTL_PROBE_CELLS, "machine", machine_probe },
	{ CTL_PROBE_CELLS, "namespaces", namespaces_probe },
	{ CTL_PROBE_CELLS, "seccomp", seccomp_probe },
	{ CTL_PROBE_CELLS, "clone3", clone3_probe },
	{ CTL_PROBE_CELLS, "pidfd", pidfd_probe },
	{ CTL_PROBE_CELLS, "memfd", memfd_probe },
	{ CTL_PROBE_CELLS, "close_range", close_range_probe },
	{ CTL_PROBE_CELLS, "openat2", openat2_probe },
	{ CTL_PROBE_CELLS, "cgroup memory", memory_probe },
	{ CTL_PROBE_CELLS, "cgroup pids", pids_probe },
	{ CTL_PROBE_CELLS, "cgroup cpu", cpu_probe },
	{ CTL_PROBE_CELLS, "open files", files_probe },
	{ CTL_PROBE_CELLS, "processes", processes_probe },
	{ CTL_PROBE_CELLS, "program", files_of_ours_probe },
	{ CTL_PROBE_CELLS, "engine", engine_probe },
	{ CTL_PROBE_BOXES, "box walls", box_walls_probe },
	{ CTL_PROBE_BOXES, "box landlock", box_landlock_probe },
	{ CTL_PROBE_BOXES, "box user", box_user_probe },
	{ CTL_PROBE_BOXES, "box limits", box_limits_probe },
	{ CTL_PROBE_EGRESS, "egress", ctl_probe_egress_program },
	{ CTL_PROBE_EGRESS, "egress names", ctl_probe_names },
	{ CTL_PROBE_EGRESS, "egress roots", ctl_probe_certificates },
};

const size_t ctl_n_probes = ARRAY_LEN(ctl_probes);
