/* SPDX-License-Identifier: Apache-2.0
 *
 * The outside half: a process is born in namespaces of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"

#define SPAWN_NAMESPACES                                                       \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |           \
	    CLONE_NEWUTS | CLONE_NEWCGROUP)

/* Scratch place for the heritage, above any target number. */
#define SPAWN_FD_SCRATCH 64

static int
proc_write(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Root gives the child a uid that nobody else has; a user only has its own. */
static int
ids_map(pid_t pid, const struct box_domain *domain)
{
	const int is_root = geteuid() == 0;
	const uid_t uid =
	    is_root ? BOX_UID_BASE + domain->uid_offset : geteuid();
	const gid_t gid =
	    is_root ? BOX_UID_BASE + domain->uid_offset : getegid();
	char uids[96], gids[96];

	int len = snprintf(uids, sizeof(uids), "0 %u 1\n", uid);
	snprintf(gids, sizeof(gids), "0 %u 1\n", gid);
	if (is_root && domain->n_uids > 0) {
		snprintf(uids + len, sizeof(uids) - (size_t)len, "1 %u %u\n",
		    BOX_CHILD_UID_BASE, domain->n_uids);
		memcpy(gids, uids, sizeof(gids)); /* root: the same numbers */
	}
	int code = proc_write(pid, "uid_map", uids);
	if (code == 0 && !is_root)
		code = proc_write(pid, "setgroups", "deny");
	return code == 0 ? proc_write(pid, "gid_map", gids) : code;
}

/* Descriptors 0, 1: nothing; 2: the log; 3…: the heritage; then an end. */
static int
heritage_set(const struct box_spawn *spawn, int *exe_fd)
{
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return -errno;

	/* First out of the way, then into place: no target is overwritten
	 * before it was moved. */
	int scratch[BOX_SPAWN_FDS_MAX];
	for (uint32_t i = 0; i < spawn->n_fds; i++) {
		scratch[i] =
		    fcntl(spawn->fds[i], F_DUPFD_CLOEXEC, SPAWN_FD_SCRATCH);
		if (scratch[i] < 0)
			return -errno;
	}
	*exe_fd = fcntl(spawn->exe_fd, F_DUPFD_CLOEXEC, SPAWN_FD_SCRATCH);
	if (*exe_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
		return -errno;

	for (uint32_t i = 0; i < spawn->n_fds; i++)
		if (dup2(scratch[i], 3 + (int)i) < 0)
			return -errno;
	return syscall(SYS_close_range, 3 + spawn->n_fds, ~0u,
		   CLOSE_RANGE_CLOEXEC) < 0
	    ? -errno
	    : 0;
}

/* The child: runs on into exec, or ends; never returns. */
static void __attribute__((noreturn))
child_run(const struct box_spawn *spawn, int go_fd)
{
	const char *const env[] = { "PATH=/usr/bin:/bin", "LANG=C.UTF-8",
		"TZ=UTC", "ASAN_OPTIONS=detect_leaks=0", NULL };
	char go;
	int exe_fd = -1;
	sigset_t none;

	if (read(go_fd, &go, 1) != 1)
		_exit(126);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);

	const int dropped = setgroups(0, NULL);
	if (dropped < 0 && errno != EPERM)
		_exit(126);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    heritage_set(spawn, &exe_fd) != 0)
		_exit(126);

	/* execveat(2) does not write through these, whatever its prototype. */
	execveat(exe_fd, "", (char *const *)(uintptr_t)spawn->argv,
	    (char *const *)(uintptr_t)env, AT_EMPTY_PATH);
	dprintf(2, "cordon: cannot start %s: %s\n", spawn->argv[0],
	    strerror(errno));
	_exit(127);
}

static int
clone_failed(int code, struct err *err)
{
	if (code == -ENOSYS)
		return err_set(
		    err, code, "the kernel lacks clone3 (Linux 5.3)");
	if (code == -EPERM || code == -ENOSPC || code == -EINVAL)
		return err_set(err, code,
		    "the kernel refuses new namespaces (%s): user namespaces "
		    "must be allowed; see sysctl user.max_user_namespaces, "
		    "kernel.unprivileged_userns_clone, "
		    "kernel.apparmor_restrict_unprivileged_userns; 'cordon "
		    "doctor' tells more",
		    strerror(-code));
	return err_set(err, code, "clone3: %s", strerror(-code));
}

/*
 * A descriptor belongs to the mounts it was opened among: from a new mount
 * namespace it cannot be bound anywhere. The working directory is the one thing
 * that the kernel moves over with the copy (copy_mnt_ns), whoever could walk
 * the path to it; so the folder is handed down as that.
 */
static pid_t
clone_in_folder(int folder_fd, struct clone_args *args)
{
	auto_close int back_fd = -1;

	if (folder_fd >= 0) {
		back_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (back_fd < 0 || fchdir(folder_fd) < 0)
			return -errno;
	}
	const pid_t pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));
	const int code = pid < 0 ? -errno : 0;
	if (pid != 0 && back_fd >= 0 && fchdir(back_fd) < 0 && chdir("/") < 0)
		return -errno;
	return code != 0 ? code : pid;
}

int
box_spawn(
    const struct box_spawn *spawn, pid_t *pidp, int *pidfdp, struct err *err)
{
	const struct box_domain *domain = box_domain_find(spawn->domain);
	int go[2], pidfd = -1;

	if (domain == NULL || spawn->n_fds > BOX_SPAWN_FDS_MAX)
		return err_set(
		    err, -EINVAL, "box: cannot start '%s'", spawn->domain);
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	auto_close int go_read_fd = go[0];
	auto_close int go_write_fd = go[1];

	const uint64_t network = domain->network_why == NULL ? CLONE_NEWNET : 0;
	struct clone_args args = { .flags =
				       SPAWN_NAMESPACES | CLONE_PIDFD | network,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD };
	const int folder_fd =
	    domain->folder_why != NULL ? spawn->folder_fd : -1;
	const pid_t pid = clone_in_folder(folder_fd, &args);
	if (pid < 0)
		return clone_failed(pid, err);
	if (pid == 0) {
		close(go[1]);
		child_run(spawn, go_read_fd);
	}

	auto_close int child_fd = pidfd;
	const int code = ids_map(pid, domain);
	if (code != 0 || write(go_write_fd, "g", 1) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set(err, code != 0 ? code : -EIO,
		    "map the uid of %s: %s", spawn->domain,
		    strerror(code != 0 ? -code : EIO));
	}
	*pidp = pid;
	*pidfdp = fd_steal(&child_fd);
	return 0;
}
