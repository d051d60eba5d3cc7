/* SPDX-License-Identifier: Apache-2.0
 *
 * The order is that of launch.h; nothing here returns into the launcher's
 * scopes.
 */
#include "box/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/caps.h"
#include "box/landlock.h"
#include "box/limits.h"
#include "box/network.h"
#include "box/payload.h"

/* ---- who it is ------------------------------------------------------------ */

static int
self_write(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A user maps its own ids to themselves; that takes nobody's help. */
static int
own_ids_map(const struct box_inside *inside, struct err *err)
{
	char text[64];

	int code = self_write("/proc/self/setgroups", "deny");
	snprintf(
	    text, sizeof(text), "%u %u 1\n", inside->uid, inside->user_uid);
	if (code == 0)
		code = self_write("/proc/self/uid_map", text);
	snprintf(
	    text, sizeof(text), "%u %u 1\n", inside->gid, inside->user_gid);
	if (code == 0)
		code = self_write("/proc/self/gid_map", text);
	if (code != 0 && access("/proc/self/uid_map", F_OK) < 0)
		return err_set(err, code,
		    "a box needs /proc to be mounted where it is "
		    "started from");
	return code == 0
	    ? 0
	    : err_set(err, code,
		  "map the user's id in the new namespace: %s; where AppArmor "
		  "restricts unprivileged user namespaces: sysctl "
		  "kernel.apparmor_restrict_unprivileged_userns=0, or a "
		  "profile that allows cordon 'userns'",
		  strerror(-code));
}

static int
ids_take(const struct box_inside *inside, struct err *err)
{
	if (inside->trees == NULL)
		return own_ids_map(inside, err);
	/* Other ids: the kernel forgets who was to take us along. */
	if (setgroups(0, NULL) < 0 ||
	    setresgid(inside->gid, inside->gid, inside->gid) < 0 ||
	    setresuid(inside->uid, inside->uid, inside->uid) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(
		    err, -errno, "become the box's user: %s", strerror(errno));
	return 0;
}

/* ---- its world ------------------------------------------------------------ */

static int
root_enter(const struct box_inside *inside, struct err *err)
{
	const struct box_spec *spec = inside->launch->spec;
	auto_free int *own = NULL;
	const int *trees = inside->trees;
	int code = 0;

	if (trees == NULL) {
		own = calloc(spec->n_grants + 1u, sizeof(*own));
		if (own == NULL)
			return err_set(err, -ENOMEM, "out of memory");
		code = box_trees_open(spec, NULL, own, err);
		trees = own;
	}
	return code != 0
	    ? code
	    : box_root_enter(spec, trees, inside->uid, inside->gid, err);
}

/* 5: nothing left, and nothing to be had. */
static int
privileges_drop(struct err *err)
{
	const int code = box_caps_drop(0);

	if (code != 0)
		return err_set(
		    err, code, "drop capabilities: %s", strerror(-code));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(
		    err, -errno, "no_new_privs: %s", strerror(errno));
	return 0;
}

static int
group_enter(const struct box_launch *launch, struct err *err)
{
	const int code =
	    launch->door != NULL ? cgroup_door_enter(launch->door) : 0;

	return code == 0
	    ? 0
	    : err_set(err, code, "enter the box's control group: %s",
		  strerror(-code));
}

/* 4: what control groups do not hold. */
static int
limits_apply(const struct box_launch *launch, struct err *err)
{
	struct box_limits limits = launch->spec->limits;

	limits.files = 0; /* just before exec */
	return box_limits_apply(&limits, launch->has_memory_group, err);
}

static int
walls_build(const struct box_inside *inside, struct err *err)
{
	const struct box_spec *spec = inside->launch->spec;
	const bool has_network = !(spec->flags & BOX_HOST_NETWORK);
	struct box_network network = { .spec = spec,
		.egress_fd = inside->launch->egress_fd };
	char go;

	if (recv(inside->control_fd, &go, 1, 0) != 1)
		_exit(BOX_EXIT_FAILED);
	int code = group_enter(inside->launch, err);
	if (code == 0)
		code = ids_take(inside, err);
	if (code == 0 && sethostname("box", 3) < 0)
		code = err_set(err, -errno, "sethostname: %s", strerror(errno));
	if (code == 0 && has_network)
		code = box_network_begin(&network, inside->control_fd, err);
	if (code == 0)
		code = root_enter(inside, err);
	if (code == 0 && has_network)
		code = box_network_enter(&network, err);
	if (code == 0)
		code = limits_apply(inside->launch, err);
	if (code == 0)
		code = privileges_drop(err);
	if (code == 0)
		code = box_landlock_enter(spec, err);
	return code;
}

/* ---- the payload ---------------------------------------------------------- */

static bool
is_guarded(const struct box_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_grants; i++)
		if (spec->grants[i].flags & BOX_GRANT_GUARD)
			return true;
	return false;
}

/* The listener's number: init shares the table that it is in. -1: none. */
static int
filter_install(const struct box_spec *spec)
{
	const struct payload_filter filter = payload_filter_get(
	    spec->flags, (enum box_notes)spec->notes, is_guarded(spec));
	const struct sock_fprog program = { filter.n_insns,
		(struct sock_filter *)(uintptr_t)filter.insns };
	const bool is_heard =
	    spec->notes >= BOX_NOTES_CALLS || is_guarded(spec);
	/* A call that init does must not begin anew because of a signal: what
	 * was made would be there already. Linux 5.19. */
	const unsigned waits = SECCOMP_FILTER_FLAG_NEW_LISTENER |
	    (is_guarded(spec) ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0);
	const int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    is_heard ? waits : 0, &program);

	if (fd < 0)
		return -errno;
	return is_heard ? fd : -1;
}

/* 3: a table of its own; 0, 1, 2; the rest closes at exec. */
static int
descriptors_set(const struct box_launch *launch)
{
	int fds[3];

	if (syscall(SYS_close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE) < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		if ((fds[i] = fcntl(launch->stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
			return -errno;
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			return -errno;
	return syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0
	    ? -errno
	    : 0;
}

static const char *
path_get(const struct box_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_env; i++)
		if (strncmp(spec->env[i], "PATH=", 5) == 0)
			return spec->env[i] + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

static int
exec_at(const struct box_spec *spec, const char *path)
{
	/* execve(2) does not write through these, whatever its prototype. */
	execve(path, (char *const *)(uintptr_t)spec->argv,
	    (char *const *)(uintptr_t)spec->env);
	return -errno;
}

/* As execvp(3), with the PATH of the box: the first that can be run; the error
 * of one that is there, before that of those that are not. */
static int
exec_found(const struct box_spec *spec)
{
	char path[BOX_PATH_MAX];
	int code = -ENOENT;

	if (strchr(spec->argv[0], '/') != NULL)
		return exec_at(spec, spec->argv[0]);
	for (const char *at = path_get(spec); *at != '\0';) {
		const size_t len = strcspn(at, ":");
		if (len > 0 &&
		    snprintf(path, sizeof(path), "%.*s/%s", (int)len, at,
			spec->argv[0]) < (int)sizeof(path)) {
			const int r = exec_at(spec, path);
			if (r != -ENOENT && r != -ENOTDIR)
				code = r;
		}
		at += len + (at[len] == ':');
	}
	return code;
}

static void __attribute__((noreturn))
payload_fail(struct box_init *init, const char *what, int code)
{
	char text[BOX_PATH_MAX + 128];

	const int len =
	    snprintf(text, sizeof(text), "%s: %s", what, strerror(-code));
	box_note_send(
	    init, BOX_NOTE_FAILED, -code, 0, text, (size_t)(len > 0 ? len : 0));
	if (code == -ENOENT || code == -ENOTDIR)
		_exit(BOX_EXIT_NOT_FOUND);
	_exit(code == -EACCES || code == -ENOEXEC ? BOX_EXIT_CANNOT_RUN
						  : BOX_EXIT_FAILED);
}

static void __attribute__((noreturn)) payload_run(
    const struct box_launch *launch, struct box_init *init, int listener_pipe)
{
	const struct box_spec *spec = launch->spec;
	sigset_t none;

	if (spec->flags & BOX_OWN_SESSION && setsid() < 0)
		payload_fail(init, "setsid", -errno);
	const int listener_fd = filter_install(spec);
	if (listener_fd < -1)
		payload_fail(init,
		    "the seccomp filter (is CONFIG_SECCOMP_FILTER there, "
		    "Linux 5.19 for a guarded folder, and no other listener "
		    "around us?)",
		    listener_fd);
	/* Init goes on, and closes what it does not need, once our table is
	 * no longer its. */
	int code = descriptors_set(launch);
	if (code != 0)
		payload_fail(init, "its descriptors", code);
	if (write(listener_pipe, &listener_fd, sizeof(listener_fd)) !=
	    sizeof(listener_fd))
		_exit(BOX_EXIT_FAILED);
	if (chdir(spec->cwd) < 0 && chdir(spec->home) < 0 && chdir("/") < 0)
		payload_fail(init, spec->cwd, -errno);
	code = box_limits_files_apply(&spec->limits);
	if (code != 0)
		payload_fail(init, "RLIMIT_NOFILE", code);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	code = exec_found(spec);
	payload_fail(init, spec->argv[0], code);
}

/* The pipe's write end is ours as well, so the child's end alone tells that
 * nothing will come: -1. */
static int
listener_read(pid_t payload, int pipe_fd)
{
	int listener_fd = -1;

	auto_close int end_fd = (int)syscall(SYS_pidfd_open, payload, 0);
	struct pollfd fds[] = { { pipe_fd, POLLIN, 0 }, { end_fd, POLLIN, 0 } };
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (read(pipe_fd, &listener_fd, sizeof(listener_fd)) !=
	    (ssize_t)sizeof(listener_fd))
		return -1;
	return listener_fd;
}

#define PAYLOAD_STACK (64u << 10)

struct payload {
	const struct box_launch *launch;
	struct box_init *init;
	int listener_pipe; /* its write end */
};

static int
payload_enter(void *arg)
{
	const struct payload *payload = arg;

	payload_run(payload->launch, payload->init, payload->listener_pipe);
}

/*
 * A child that shares our descriptors until its filter's listener is among
 * them, and our memory until its exec, which we wait for: nothing is copied. Of
 * a filter that tells of exec itself we must hear before that: then a fork.
 */
static int
payload_fork(const struct box_launch *launch, struct box_init *init)
{
	static char stack[PAYLOAD_STACK] __attribute__((aligned(16)));
	const bool tells_exec = launch->spec->notes == BOX_NOTES_ALL;
	int listener_pipe[2];

	if (pipe2(listener_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	struct payload payload = { launch, init, listener_pipe[1] };
	const pid_t pid = clone(payload_enter, stack + sizeof(stack),
	    CLONE_FILES | SIGCHLD | (tells_exec ? 0 : CLONE_VM | CLONE_VFORK),
	    &payload);
	if (pid < 0)
		return -errno;
	init->payload = pid;
	init->listener_fd = listener_read(pid, listener_pipe[0]);
	close(listener_pipe[0]);
	close(listener_pipe[1]);
	return 0;
}

/* ---- all of it ------------------------------------------------------------ */

/* What a shell or nohup(1) had its children ignore, they ignore. */
static bool
is_of_the_job(int number)
{
	return number == SIGHUP || number == SIGINT || number == SIGQUIT ||
	    number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static void
signals_reset(void)
{
	struct sigaction action;
	sigset_t all;

	for (int number = 1; number < NSIG; number++)
		if (!is_of_the_job(number) ||
		    sigaction(number, NULL, &action) < 0 ||
		    action.sa_handler != SIG_IGN)
			signal(number, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

void
box_inside_run(const struct box_inside *inside)
{
	struct box_reply reply = { 0 };
	struct box_init init = { .spec = inside->launch->spec,
		.notes_fd = inside->launch->notes_fd,
		.listener_fd = -1,
		.is_guarded = is_guarded(inside->launch->spec) };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(BOX_EXIT_FAILED);
	prctl(PR_SET_NAME, "cordon-init");
	signals_reset();
	reply.code = walls_build(inside, &reply.err);
	if (send(inside->control_fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0 ||
	    reply.code != 0)
		_exit(BOX_EXIT_FAILED);
	close(inside->control_fd);

	box_note_send(&init, BOX_NOTE_STARTED, 0, 0, NULL, 0);
	const int code = payload_fork(inside->launch, &init);
	if (code != 0)
		payload_fail(&init, "start the program", code);
	box_init_run(&init);
}
