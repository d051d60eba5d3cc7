/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/libexec.h"

void
ctl_files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int
ctl_deployment_set(struct wire_deployment *deployment, const char *name,
    int bundle_fd, uint32_t pool_max, const struct wire_limits *limits)
{
	if (strlen(name) >= sizeof(deployment->name))
		return -ENAMETOOLONG;

	*deployment = (struct wire_deployment){
		.tenant = "local",
		.bundle_fd = bundle_fd,
		.pool_max = pool_max,
		.limits = *limits,
	};
	strcpy(deployment->name, name);
	return 0;
}

int
ctl_plan_seal(const struct wire_plan *plan,
    const struct wire_deployment *deployments, int *fd)
{
	const size_t records =
	    plan->n_deployments * sizeof(struct wire_deployment);
	auto_free uint8_t *bytes = malloc(sizeof(*plan) + records);

	if (bytes == NULL)
		return -ENOMEM;

	memcpy(bytes, plan, sizeof(*plan));
	if (records > 0)
		memcpy(bytes + sizeof(*plan), deployments, records);
	return fd_memfd_seal("cordon-plan", bytes, sizeof(*plan) + records, fd);
}

struct child {
	const char *path;
	const struct wire_plan *plan;
	const struct wire_deployment *deployments;
	int plan_fd, lock_fd, said_fd, status_fd;
	pid_t parent;
};

static int
inherit_all(const struct child *child)
{
	const struct wire_plan *plan = child->plan;
	const int named[] = { child->plan_fd, child->lock_fd, plan->client_fd,
		plan->listen_fd, plan->admin_fd, plan->operator_fd,
		plan->store_fd, plan->tls_fd, plan->egress_fd, plan->vault_fd };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(named) && r == 0; i++) {
		if (named[i] >= 0)
			r = fd_inherit(named[i]);
	}
	for (uint32_t i = 0; i < plan->n_deployments && r == 0; i++)
		r = fd_inherit(child->deployments[i].bundle_fd);
	return r;
}

/* Standard input is empty; standard output belongs to our own answer. */
static int
standard_streams_set(int said_fd)
{
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return -errno;
	if (said_fd >= 0 && dup2(said_fd, STDERR_FILENO) < 0)
		return -errno;
	return dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ? -errno : 0;
}

/* In the child: becomes the supervisor, or tells why not and ends. */
static void __attribute__((noreturn)) child_run(const struct child *child)
{
	char number[16];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != child->parent)
		_exit(70);

	int r = standard_streams_set(child->said_fd);
	if (r == 0)
		r = inherit_all(child);
	if (r == 0) {
		snprintf(number, sizeof(number), "%d", child->plan_fd);
		execl(child->path, "cordon-supervisor", "--plan", number,
		    (char *)NULL);
		r = -errno;
	}
	(void)fd_write_all(child->status_fd, &r, sizeof(r));
	_exit(70);
}

/* What the child says before its exec: 0 when it has become the program. */
static int
exec_status(int status_fd)
{
	int r = 0;

	for (;;) {
		const ssize_t n = read(status_fd, &r, sizeof(r));
		if (n == (ssize_t)sizeof(r))
			return r;
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 ? -errno : 0;
	}
}

static int
pipe_new(int pair[2])
{
	return pipe2(pair, O_CLOEXEC) < 0 ? -errno : 0;
}

static int
child_start(struct child *child, int said_fd, struct ctl_supervisor *out)
{
	int status[2];

	int r = pipe_new(status);
	if (r < 0)
		return r;
	auto_close int read_fd = status[0];
	auto_close int write_fd = status[1];

	child->status_fd = write_fd;
	child->parent = getpid();
	const pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(child);

	close(fd_steal(&write_fd));
	r = exec_status(read_fd);
	const long pid_fd = r < 0 ? -1 : syscall(SYS_pidfd_open, pid, 0);
	if (r == 0 && pid_fd < 0)
		r = -errno;
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}

	fcntl((int)pid_fd, F_SETFD, FD_CLOEXEC);
	*out = (struct ctl_supervisor){ pid, (int)pid_fd, said_fd };
	return 0;
}

/* Starts it with what is set in child but the plan's own descriptor. */
static int
plan_start(struct child *child, int said_fd, struct ctl_supervisor *supervisor,
    struct err *err)
{
	auto_close int plan_fd = -1;
	char path[PATH_MAX];

	int r = ctl_libexec_find("cordon-supervisor", path, err);
	if (r < 0)
		return r;
	r = ctl_plan_seal(child->plan, child->deployments, &plan_fd);
	if (r < 0)
		return err_set(
		    err, r, "no memory file for the plan: %s", strerror(-r));

	child->path = path;
	child->plan_fd = plan_fd;
	r = child_start(child, said_fd, supervisor);
	return r == 0
	    ? 0
	    : err_set(err, r, "%s cannot be started: %s", path, strerror(-r));
}

int
ctl_supervisor_start(const struct wire_plan *plan,
    const struct wire_deployment *deployments, bool capture,
    struct ctl_supervisor *supervisor, struct err *err)
{
	auto_close int read_fd = -1, write_fd = -1;
	int said[2];

	if (capture) {
		const int r = pipe_new(said);
		if (r < 0)
			return err_set(err, r, "no pipe: %s", strerror(-r));
		read_fd = said[0];
		write_fd = said[1];
		fcntl(read_fd, F_SETFL, O_NONBLOCK);
	}

	struct child child = { .plan = plan,
		.deployments = deployments,
		.lock_fd = -1,
		.said_fd = write_fd };
	const int r = plan_start(&child, read_fd, supervisor, err);
	if (r == 0)
		(void)fd_steal(&read_fd);
	return r;
}

int
ctl_supervisor_host(const struct wire_plan *plan, int lock_fd,
    struct ctl_supervisor *supervisor, struct err *err)
{
	struct child child = {
		.plan = plan, .lock_fd = lock_fd, .said_fd = -1
	};

	return plan_start(&child, -1, supervisor, err);
}

int
ctl_supervisor_end(struct ctl_supervisor *supervisor, int wait_ms)
{
	struct pollfd ended = { .fd = supervisor->pid_fd, .events = POLLIN };
	int status = 0;

	if (poll(&ended, 1, wait_ms) == 0)
		kill(supervisor->pid, SIGKILL);
	while (waitpid(supervisor->pid, &status, 0) < 0 && errno == EINTR)
		continue;

	close(supervisor->pid_fd);
	if (supervisor->said_fd >= 0)
		close(supervisor->said_fd);
	*supervisor = (struct ctl_supervisor){ .pid_fd = -1, .said_fd = -1 };
	return status;
}
