/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher's half: namespaces, the map of ids, the control group.
 */
#include "box/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/inside.h"
#include "box/root.h"

#define NAMESPACES                                                             \
	((uint64_t)CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | \
	    CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PIDFD)
#define UID_INSIDE 1000u /* started by root */

#define UNCONFINED                                                             \
	"'--security-opt seccomp=unconfined' (Docker, Podman) or "             \
	"seccompProfile: Unconfined (Kubernetes)"

static int
clone_fail(int code, struct err *err)
{
	if (code == -ENOSYS)
		return err_set(err, code,
		    "a user namespace cannot be made: clone3 is missing. "
		    "Containers hide it: start yours with " UNCONFINED
		    "; else the kernel is older than Linux 5.3");
	if (code == -EPERM || code == -EACCES)
		return err_set(err, code,
		    "the kernel refuses a user namespace (%s): allow it with "
		    "sysctl kernel.unprivileged_userns_clone=1 or "
		    "kernel.apparmor_restrict_unprivileged_userns=0 where "
		    "there is one of them; in a container, start that "
		    "with " UNCONFINED "; in a chroot there are none; "
		    "'cordon doctor' tells more",
		    strerror(-code));
	if (code == -ENOSPC || code == -EUSERS)
		return err_set(err, code,
		    "the kernel has no namespace left (%s): raise sysctl "
		    "user.max_user_namespaces, user.max_pid_namespaces, "
		    "user.max_net_namespaces",
		    strerror(-code));
	if (code == -EINVAL)
		return err_set(err, code,
		    "the kernel lacks a kind of namespace: it must be built "
		    "with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, "
		    "CONFIG_IPC_NS, CONFIG_UTS_NS and CONFIG_CGROUPS");
	return err_set(err, code, "clone3: %s", strerror(-code));
}

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

static int
ids_map(pid_t pid, const struct box_owner *owner, struct err *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1\n", UID_INSIDE, owner->uid);
	int code = proc_write(pid, "uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1\n", UID_INSIDE, owner->gid);
	if (code == 0)
		code = proc_write(pid, "gid_map", text);
	if (code == 0)
		return 0;
	if (access("/proc/self/uid_map", F_OK) < 0)
		return err_set(err, code,
		    "a box needs /proc to be mounted where it is "
		    "started from");
	return err_set(err, code,
	    "map the box's user to host uid %u: %s. Root needs CAP_SETUID and "
	    "CAP_SETGID for it, and a user namespace that has that uid: within "
	    "'unshare -r', rootless containers and other boxes it has not; "
	    "start cordon as an ordinary user outside of them",
	    owner->uid, strerror(-code));
}

/* The child goes on, and says how far it came. */
static int
child_hear(int control_fd, struct err *err)
{
	struct box_reply reply;
	ssize_t n;

	if (send(control_fd, "g", 1, MSG_NOSIGNAL) != 1)
		return err_set(err, -EPIPE, "the box ended at its start");
	do
		n = recv(control_fd, &reply, sizeof(reply), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(reply))
		return err_set(err, -EPIPE,
		    "the box ended while it was walled in: was it killed by a "
		    "memory limit around it?");
	if (reply.code != 0)
		return err_set(err, reply.code, "%s", reply.err.text);
	return 0;
}

static int
child_settle(
    const struct box_owner *owner, pid_t pid, int control_fd, struct err *err)
{
	int code = 0;

	if (owner != NULL)
		code = ids_map(pid, owner, err);
	return code != 0 ? code : child_hear(control_fd, err);
}

static pid_t
child_clone(const struct box_launch *launch, const struct box_inside *inside,
    int parent_fd, int *pidfd)
{
	struct clone_args args = {
		.flags = NAMESPACES,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	if (launch->door != NULL && launch->door->into_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint32_t)launch->door->into_fd;
	}

	const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(parent_fd);
		box_inside_run(inside);
	}
	return pid < 0 ? -errno : pid;
}

static int
launch_with(const struct box_launch *launch, const struct box_owner *owner,
    const int *trees, struct box_child *child, struct err *err)
{
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	auto_close int ours_fd = pair[0];
	auto_close int theirs_fd = pair[1];
	const struct box_inside inside = { .launch = launch,
		.control_fd = theirs_fd,
		.trees = trees,
		.uid = owner != NULL ? UID_INSIDE : geteuid(),
		.gid = owner != NULL ? UID_INSIDE : getegid(),
		.user_uid = geteuid(),
		.user_gid = getegid() };

	const pid_t pid = child_clone(launch, &inside, ours_fd, &pidfd);
	if (pid < 0)
		return clone_fail(pid, err);
	auto_close int child_fd = pidfd;
	close(theirs_fd);
	theirs_fd = -1;
	const int code = child_settle(owner, pid, ours_fd, err);
	if (code != 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return code;
	}
	*child = (struct box_child){ .pid = pid, .pidfd = fd_steal(&child_fd) };
	return 0;
}

/* A pipe of root's would be closed to the program's /dev/stdout: it gets pipes
 * that have no name, and so nobody else, for its own. */
static void
pipes_give(const struct box_launch *launch, const struct box_owner *owner)
{
	struct statfs fs;

	for (int i = 0; i < 3; i++)
		if (fstatfs(launch->stdio[i], &fs) == 0 &&
		    fs.f_type == PIPEFS_MAGIC)
			(void)!fchown(launch->stdio[i], owner->uid, owner->gid);
}

/* Root reaches, and maps, what a mapped child could not. */
static int
launch_as_root(
    const struct box_launch *launch, struct box_child *child, struct err *err)
{
	const uint32_t n = launch->spec->n_grants;
	const struct box_owner owner = { BOX_PAYLOAD_UID_BASE + (uid_t)getpid(),
		BOX_PAYLOAD_UID_BASE + (gid_t)getpid() };

	auto_free int *trees = calloc(n + 1u, sizeof(*trees));
	if (trees == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	pipes_give(launch, &owner);
	int code = box_trees_open(launch->spec, &owner, trees, err);
	if (code == 0)
		code = launch_with(launch, &owner, trees, child, err);
	for (uint32_t i = 0; i < n; i++)
		if (trees[i] > 0)
			close(trees[i]);
	return code;
}

/* A socket is of the network that it was made in, which is the host's: from
 * there it can be connected anew, or sent to any address. A pair of streams
 * stays what it is; programs are started on such. unix(7) */
static bool
is_socket_out(int fd)
{
	struct sockaddr_un peer;
	socklen_t peer_len = sizeof(peer), len = sizeof(int);
	int domain = -1, type = -1;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    domain != AF_UNIX ||
	    (type != SOCK_STREAM && type != SOCK_SEQPACKET) ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0;
}

/* From a folder that is open a program walks wherever it likes. */
static int
stdio_check(const struct box_launch *launch, struct err *err)
{
	struct stat stat;

	for (int i = 0; i < 3; i++) {
		if (fstat(launch->stdio[i], &stat) < 0)
			return err_set(err, -errno, "descriptor %d: %s", i,
			    strerror(errno));
		if (S_ISDIR(stat.st_mode) || S_ISBLK(stat.st_mode))
			return err_set(err, -EISDIR,
			    "descriptor %d is a folder or a disk of the host, "
			    "and a way out of the box: give it a file, a pipe "
			    "or /dev/null",
			    i);
		if (S_ISSOCK(stat.st_mode) && is_socket_out(launch->stdio[i]))
			return err_set(err, -ENOTSUP,
			    "descriptor %d is a socket of the host's network, "
			    "and a way out of the box: give it a pipe, or a "
			    "connected Unix socket of streams",
			    i);
	}
	return 0;
}

int
box_launch(
    const struct box_launch *launch, struct box_child *child, struct err *err)
{
	const char *complaint = box_spec_complaint(launch->spec);

	if (complaint != NULL)
		return err_set(err, -EINVAL, "the box's spec %s", complaint);
	if (launch->spec->n_ports > 0 && launch->egress_fd < 0)
		return err_set(err, -EINVAL,
		    "the box's spec has ports that lead out, and nobody serves "
		    "them here");
	const int code = stdio_check(launch, err);
	if (code != 0)
		return code;
	return geteuid() == 0 ? launch_as_root(launch, child, err)
			      : launch_with(launch, NULL, NULL, child, err);
}

/* The smallest box there is: what it cannot have, none can. */
int
box_probe(struct err *err)
{
	static const char *const argv[] = { "true", NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	const struct box_spec spec = { .argv = argv,
		.env = env,
		.n_argv = 1,
		.n_env = 1,
		.cwd = "/tmp",
		.home = "/home/user",
		.limits = BOX_LIMITS_DEFAULT };
	struct box_child child;
	int pair[2], status = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	auto_close int ours_fd = pair[0];
	auto_close int theirs_fd = pair[1];
	(void)ours_fd; /* the leash: closed, the box ends */
	const struct box_launch launch = { .spec = &spec,
		.stdio = { 0, 1, 2 },
		.notes_fd = theirs_fd,
		.egress_fd = -1 };
	const int code = box_launch(&launch, &child, err);
	if (code != 0)
		return code;
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	close(child.pidfd);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
	    ? 0
	    : err_set(err, -EIO,
		  "a box stands, but 'true' does not run in it (status 0x%x)",
		  (unsigned)status);
}
