/* SPDX-License-Identifier: Apache-2.0
 *
 * supervisor: see supervisor.h for where it runs and what it must never do.
 * One loop over the channels of its children and their ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

#define DRAIN_MS 15000
#define STORE_STOP_MS 2000

static char text[WIRE_TEXT_MAX + 1];

uint64_t
supervisor_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void
supervisor_log(const struct supervisor *supervisor, const char *level,
    const char *format, ...)
{
	char sentence[1200], time_text[32];
	const time_t now = time(NULL);
	struct tm utc;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	for (char *c = sentence; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
			*c = '\'';
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&now, &utc));
	if (supervisor->plan.flags & WIRE_PLAN_LOG_JSON)
		dprintf(2,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"process\":"
		    "\"supervisor\",\"message\":\"%s\"}\n",
		    time_text, level, sentence);
	else
		dprintf(
		    2, "%s %s supervisor: %s\n", time_text, level, sentence);
}

/* With its channel closed it makes durable what it has heard, and ends. */
static void
store_stop(struct child *store)
{
	struct pollfd end = { .fd = store->pidfd, .events = POLLIN };

	if (store->socket_fd >= 0)
		shutdown(store->socket_fd, SHUT_RDWR);
	if (store->pid != 0)
		poll(&end, 1, STORE_STOP_MS);
	child_kill(store);
}

/* ---- the caller: gateway or client ---------------------------------- */

static void
open_answer(struct supervisor *supervisor, const struct wire_message *order)
{
	const uint32_t flags = order->status == 1 ? WIRE_LIMITS_NO_WARMUP : 0;
	struct deployment *deployment = deployment_find(supervisor, order->id);
	struct err err = { "it may not run (any more)" };

	if (deployment != NULL) {
		if (template_open(supervisor, deployment, flags, &err) == 0)
			return;
		supervisor_log(supervisor, "error", "%s: %s",
		    deployment->record.name, err.text);
	}
	const struct wire_message reply = { .type = WIRE_OPEN_FAILED,
		.id = order->id,
		.text_len = (uint32_t)strlen(err.text) };
	caller_tell(supervisor, &reply, NULL, 0, err.text);
}

static void
weigh_answer(struct supervisor *supervisor, const struct wire_message *order)
{
	const struct deployment *deployment =
	    deployment_find(supervisor, order->id);
	struct wire_message reply = { .type = WIRE_WEIGHT, .id = order->id };

	if (deployment != NULL)
		reply.usage.peak_kib =
		    template_weigh(supervisor, deployment) / 1024u;
	caller_tell(supervisor, &reply, NULL, 0, NULL);
}

static void
close_obey(struct supervisor *supervisor, const struct wire_message *order)
{
	struct deployment *deployment = deployment_find(supervisor, order->id);

	if (deployment != NULL)
		template_close(deployment);
}

/* What a caller may ask: all of it names a deployment, which may just have
 * been taken away. */
static const struct {
	uint32_t type;
	void (*answer)(struct supervisor *, const struct wire_message *);
} orders[] = {
	{ WIRE_OPEN, open_answer },
	{ WIRE_CLOSE, close_obey },
	{ WIRE_WEIGH, weigh_answer },
	{ WIRE_LINK, link_answer },
};

/* Negative: the caller is gone, or says what it must not say. */
static int
caller_hear(struct supervisor *supervisor)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code = wire_receive(
	    supervisor->gateway.socket_fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return 0;
	if (code != 0)
		return -1;
	/* What it asks for may rest on what the store told both of us: that is
	 * in the queue by now. A store that ends shows at its descriptor. */
	if (supervisor->store.pid != 0)
		store_hear(supervisor);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (orders[i].type == message.type) {
			orders[i].answer(supervisor, &message);
			return 0;
		}
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	supervisor_log(supervisor, "error", "the gateway broke the protocol");
	return -1;
}

/* It left, or broke the protocol: what is served goes on. */
static void
operator_lost(struct supervisor *supervisor)
{
	supervisor_log(supervisor, "warning",
	    "the operator is gone: settings and folders stay as they are");
	close(supervisor->operator_fd);
	supervisor->operator_fd = -1;
}

/* ---- the loop --------------------------------------------------------- */

static int
signal_hear(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (
	    read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD || info.ssi_signo == SIGHUP)
			continue; /* children end by their pidfd */
		const int again = supervisor->stopping;
		supervisor->stopping = 1;
		if (again || supervisor->gateway.pid == 0)
			return -1;
		supervisor_log(supervisor, "info", "draining");
		syscall(SYS_pidfd_send_signal, supervisor->gateway.pidfd,
		    SIGTERM, NULL, 0);
	}
	return 0;
}

enum {
	AT_SIGNAL,
	AT_CALLER,
	AT_CALLER_END,
	AT_ZYGOTE,
	AT_ZYGOTE_END = AT_ZYGOTE + N_ZYGOTES,
	AT_STORE = AT_ZYGOTE_END + N_ZYGOTES,
	AT_STORE_END,
	AT_EGRESS,
	AT_EGRESS_END,
	AT_OPERATOR,
	N_AT,
};

/* A message of the operator that waits for the store stops the next one. */
static void
events_set(const struct supervisor *supervisor, struct pollfd *fds)
{
	const int waits = supervisor->relay.message.type != WIRE_NONE;

	fds[AT_SIGNAL] = (struct pollfd){ supervisor->signal_fd, POLLIN, 0 };
	fds[AT_CALLER] =
	    (struct pollfd){ supervisor->gateway.socket_fd, POLLIN, 0 };
	fds[AT_CALLER_END] =
	    (struct pollfd){ supervisor->gateway.pidfd, POLLIN, 0 };
	for (uint32_t i = 0; i < N_ZYGOTES; i++) {
		const struct child *zygote = &supervisor->zygotes[i];
		fds[AT_ZYGOTE + i] =
		    (struct pollfd){ zygote->socket_fd, POLLIN, 0 };
		fds[AT_ZYGOTE_END + i] =
		    (struct pollfd){ zygote->pidfd, POLLIN, 0 };
	}
	fds[AT_STORE] = (struct pollfd){ supervisor->store.socket_fd,
		waits ? POLLIN | POLLOUT : POLLIN, 0 };
	fds[AT_STORE_END] =
	    (struct pollfd){ supervisor->store.pidfd, POLLIN, 0 };
	fds[AT_EGRESS] = (struct pollfd){ supervisor->egress.socket_fd,
		supervisor->n_untold > 0 ? POLLIN | POLLOUT : POLLIN, 0 };
	fds[AT_EGRESS_END] =
	    (struct pollfd){ supervisor->egress.pidfd, POLLIN, 0 };
	fds[AT_OPERATOR] =
	    (struct pollfd){ waits ? -1 : supervisor->operator_fd, POLLIN, 0 };
	boxes_events_set(supervisor, fds + N_AT);
}

static void
store_events(struct supervisor *supervisor, const struct pollfd *fds)
{
	if (fds[AT_STORE].revents & POLLOUT)
		relay_flush(supervisor);
	if (fds[AT_STORE_END].revents == 0 &&
	    ((fds[AT_STORE].revents & ~POLLOUT) == 0 ||
		store_hear(supervisor) == 0))
		return;
	/* What it said before its end is durable, and the gateway acts on it. */
	if (supervisor->store.socket_fd >= 0)
		(void)store_hear(supervisor);
	store_lost(supervisor);
}

/* A single call has no time for another one: it ends. */
static int
egress_events(struct supervisor *supervisor, const struct pollfd *fds)
{
	if (fds[AT_EGRESS].revents & POLLOUT)
		egress_flush(supervisor);
	if (fds[AT_EGRESS_END].revents == 0 &&
	    ((fds[AT_EGRESS].revents & ~POLLOUT) == 0 ||
		!egress_is_lost(supervisor)))
		return 0;
	if (supervisor->plan.flags & WIRE_PLAN_ONCE) {
		supervisor_log(supervisor, "error",
		    "egress ended: nothing can go out any more");
		return -1;
	}
	egress_lost(supervisor);
	return 0;
}

/* 0 to go on. */
static int
events_hear(struct supervisor *supervisor, const struct pollfd *fds)
{
	if (fds[AT_SIGNAL].revents != 0 && signal_hear(supervisor) != 0)
		return -1;
	/* First: others may start some, which have no place in fds. */
	boxes_hear(supervisor, fds + N_AT);
	for (uint32_t i = 0; i < N_ZYGOTES; i++)
		if ((fds[AT_ZYGOTE + i].revents != 0 &&
			zygote_hear(supervisor, i) != 0) ||
		    (fds[AT_ZYGOTE_END + i].revents != 0 &&
			supervisor->zygotes[i].pid != 0 &&
			zygote_lost(supervisor, i) != 0))
			return -1;
	store_events(supervisor, fds);
	if (egress_events(supervisor, fds) != 0)
		return -1;
	if (fds[AT_OPERATOR].revents != 0 && operator_hear(supervisor) != 0)
		operator_lost(supervisor);
	if (fds[AT_CALLER_END].revents != 0 ||
	    (fds[AT_CALLER].revents != 0 && caller_hear(supervisor) != 0))
		return gateway_lost(supervisor);
	return 0;
}

/* Milliseconds that poll may wait. */
static int
pause_get(const struct supervisor *supervisor, uint64_t deadline)
{
	const uint64_t now = supervisor_now_ms();
	uint64_t next = restarts_next_ms(supervisor);
	const uint64_t late = boxes_next_ms(supervisor);

	if (late < next)
		next = late;
	if (deadline != 0 && deadline < next)
		next = deadline;
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

/* What it comes to, once it shall not go on. */
static int
end_code(const struct supervisor *supervisor)
{
	return supervisor->stopping || supervisor->plan.client_fd >= 0 ? 0
								       : -EIO;
}

/* 0: it was asked to end; else what it could not mend. */
static int
loop_run(struct supervisor *supervisor)
{
	uint64_t deadline = 0;

	for (;;) {
		static struct pollfd fds[N_AT + BOX_EVENTS * WIRE_BOXES_MAX];
		const nfds_t n_fds = N_AT + BOX_EVENTS * supervisor->n_boxes;

		if (restarts_do(supervisor) != 0)
			return end_code(supervisor);
		boxes_kill_due(supervisor);
		events_set(supervisor, fds);
		if (supervisor->stopping && deadline == 0)
			deadline = supervisor_now_ms() + DRAIN_MS;
		const int n = poll(fds, n_fds, pause_get(supervisor, deadline));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (deadline != 0 && supervisor_now_ms() >= deadline))
			return -ETIMEDOUT;
		if (n > 0 && events_hear(supervisor, fds) != 0)
			return end_code(supervisor);
	}
}

/* ---- start and end ---------------------------------------------------- */

static int
dir_find(struct supervisor *supervisor, struct err *err)
{
	char path[PATH_MAX] = "";

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return err_set(
		    err, -errno, "/proc is not mounted: %s", strerror(errno));
	supervisor->dir_fd =
	    open(dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return supervisor->dir_fd < 0
	    ? err_set(err, -errno, "%s: %s", path, strerror(errno))
	    : 0;
}

/* Three quarters of the machine for one tenant, and twice the processes that
 * an honest one needs. */
static void
tenant_limits_set(struct supervisor *supervisor)
{
	const uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	supervisor->tenant_limits = (struct cgroup_limits){
		.memory_bytes = pages * page / 4 * 3,
		.pids = 2u * supervisor->plan.cells_max + WIRE_DEPLOYMENTS_MAX +
		    64u,
		.cpu_share = 1,
	};
}

static int
signals_set(struct supervisor *supervisor)
{
	const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(caught); i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	supervisor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signal_fd < 0 ? -errno : 0;
}

/* Descriptors of the plan are for us, not for what we start. */
static void
heritage_close_on_exec(void)
{
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
}

/* Where a plan has servers, it is a caller's: it hears at once what is missing.
 */
static int
plan_egress_start(struct supervisor *supervisor, struct err *err)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++)
		if (supervisor->deployments[i].used &&
		    (supervisor->deployments[i].record.flags &
			WIRE_DEPLOYMENT_EGRESS) != 0)
			return supervisor->plan.egress_fd >= 3
			    ? egress_start(supervisor, err)
			    : err_set(
				  err, -EINVAL, "plan: no settings for egress");
	return 0;
}

static int
start(struct supervisor *supervisor, int plan_fd, struct err *err)
{
	heritage_close_on_exec();
	int code = plan_read(supervisor, plan_fd, err);
	if (code == 0)
		code = dir_find(supervisor, err);
	if (code == 0 && (code = signals_set(supervisor)) != 0)
		err_set(err, code, "signalfd: %s", strerror(-code));
	if (code == 0 && (code = cgroup_new(&supervisor->cgroup)) != 0)
		err_set(err, code, "out of memory");
	if (code == 0)
		tenant_limits_set(supervisor);
	if (code == 0 && supervisor->plan.store_fd >= 3)
		code = store_start(supervisor, err);
	if (code == 0)
		code = plan_egress_start(supervisor, err);
	if (code == 0)
		code = zygote_start(supervisor, ZYGOTE_JIT, err);
	if (code == 0)
		cgroup_sweep(supervisor->cgroup); /* while others get ready */
	if (code == 0)
		code = zygote_wait(&supervisor->zygotes[ZYGOTE_JIT], err);
	if (code == 0 && supervisor->store.pid != 0)
		code = store_wait(supervisor, err);
	if (code != 0)
		return code;
	if (supervisor->plan.client_fd >= 0) {
		supervisor->gateway.socket_fd = supervisor->plan.client_fd;
		fcntl(supervisor->plan.client_fd, F_SETFL, O_NONBLOCK);
		egress_link_events(supervisor);
		return 0;
	}
	supervisor_log(supervisor, "info",
	    "limits in force: rlimits, CPU timers; control groups: %s",
	    cgroup_describe(supervisor->cgroup));
	supervisor->operator_fd = supervisor->plan.operator_fd >= 3
	    ? supervisor->plan.operator_fd
	    : -1;
	supervisor->tls_fd =
	    supervisor->plan.tls_fd >= 3 ? supervisor->plan.tls_fd : -1;
	if ((code = gateway_start(supervisor, err)) != 0)
		return code;
	gateway_brief(supervisor);
	link_store(supervisor);
	egress_link_events(supervisor);
	return 0;
}

/* Store last: what the gateway told it on its way out is still kept. */
static void
stop(struct supervisor *supervisor)
{
	child_kill(&supervisor->gateway);
	templates_close_all(supervisor);
	boxes_stop(supervisor);
	for (uint32_t i = 0; i < N_ZYGOTES; i++)
		child_kill(&supervisor->zygotes[i]);
	child_kill(&supervisor->egress);
	store_stop(&supervisor->store);
	supervisor->cgroup = cgroup_free(supervisor->cgroup);
	deployments_free(supervisor);
}

int
main(int argc, char **argv)
{
	static struct supervisor supervisor;
	struct err err = { "" };
	struct rlimit files;

	prctl(PR_SET_NAME, "cordon-supervis");
	if (argc != 3 || strcmp(argv[1], "--plan") != 0) {
		dprintf(2, "cordon-supervisor is started by 'cordon'\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (uint32_t i = 0; i < N_ZYGOTES; i++)
		supervisor.zygotes[i] =
		    (struct child){ .pidfd = -1, .socket_fd = -1 };
	supervisor.gateway = supervisor.store = supervisor.egress =
	    (struct child){ .pidfd = -1, .socket_fd = -1 };
	supervisor.operator_fd = supervisor.relay.fd = -1;
	supervisor.settings_fd = supervisor.tls_fd = -1;

	int code = start(&supervisor, atoi(argv[2]), &err);
	if (code != 0)
		dprintf(2, "cordon: %s\n", err.text);
	else
		code = loop_run(&supervisor);

	stop(&supervisor);
	return code != 0 ? 70 : 0;
}
