/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/watcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/launch.h"
#include "box/limits.h"
#include "ctl/notes.h"
#include "ctl/terminal.h"

/* Groups that dead owners left are nothing that a short command waits for. */
#define SWEEP_AFTER_MS 1000

/* The box's group: our own place. */
#define GROUP ""

/* What a box may take beyond its own grace to be gone. */
#define GRACE_MORE_MS 3000u

struct watch {
	const struct ctl_watcher *watcher;
	struct box_child child;
	int notes_fd; /* -1 once the other end is closed */
	int signals_fd;
	uint64_t deadline_ms; /* 0: none */
	struct cgroup *cgroup; /* borrowed; NULL once it was swept */
	bool is_over; /* the box did not end itself in time */
	bool is_cut_off; /* the way out ended before the box */
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Of those that a shell may have had us ignore. */
static bool
is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 &&
	    action.sa_handler == SIG_IGN;
}

/* All but those that a fault of our own raises, and those that we cause. */
static int
signals_take(int *fdp)
{
	static const int others[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
		SIGSYS, SIGABRT, SIGPIPE, SIGCHLD };
	static const int job[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP,
		SIGTTIN };
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		sigdelset(&set, others[i]);
	for (size_t i = 0; i < ARRAY_LEN(job); i++) {
		if (is_ignored(job[i]))
			sigdelset(&set, job[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	*fdp = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fdp < 0 ? -errno : 0;
}

static void
order(struct watch *watch, int number)
{
	const struct box_order words = { .signal = (uint32_t)number };

	if (watch->notes_fd >= 0)
		(void)send(watch->notes_fd, &words, sizeof(words),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
signals_read(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signals_fd, &info, sizeof(info)) == sizeof(info)) {
		/* From the kernel: the terminal tells the whole group. */
		if (info.ssi_code <= 0)
			order(watch, (int)info.ssi_signo);
	}
}

/* The program has stopped: so do we, for a shell to take the terminal back. Not
 * where that would be for good: in a group that nobody watches, or in that of
 * whoever started us, which then is no shell with jobs; the program could keep
 * it waiting past the time limit. */
static void
stop(int number)
{
	sigset_t set;

	if (getpgid(getppid()) == getpgrp())
		return;
	if (number != SIGTSTP && number != SIGTTIN && number != SIGTTOU)
		number = SIGTSTP;
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void
note_take(struct watch *watch, const struct box_note *note)
{
	/* The last one: with init, what the program left dies as well. */
	if (note->kind == BOX_NOTE_EXITED && watch->watcher->way != NULL)
		ctl_way_end_begin(watch->watcher->way);
	if (note->kind == BOX_NOTE_STOPPED)
		stop(note->code);
	else
		watch->watcher->note(watch->watcher->context, note);
}

static void
notes_read(struct watch *watch)
{
	struct box_note note;
	int r;

	while (watch->notes_fd >= 0 &&
	    (r = ctl_note_read(watch->notes_fd, &note)) != -EAGAIN) {
		if (r == 1) {
			note_take(watch, &note);
		} else if (r != -EPROTO) {
			close(watch->notes_fd);
			watch->notes_fd = -1;
		}
	}
}

/* The box ends itself when its time is up; this is for one that does not. */
static void
deadline_pass(struct watch *watch)
{
	if (watch->deadline_ms == 0 || now_ms() < watch->deadline_ms)
		return;
	syscall(SYS_pidfd_send_signal, watch->child.pidfd, SIGKILL, NULL, 0);
	watch->deadline_ms = 0;
	watch->is_over = true;
}

static int
wait_ms(const struct watch *watch)
{
	const uint64_t now = watch->deadline_ms == 0 ? 0 : now_ms();

	if (watch->cgroup != NULL)
		return SWEEP_AFTER_MS;
	if (watch->deadline_ms == 0)
		return -1;
	if (watch->deadline_ms <= now)
		return 0;
	return watch->deadline_ms - now > 1000000000
	    ? 1000000000
	    : (int)(watch->deadline_ms - now);
}

static void
quiet(struct watch *watch)
{
	if (watch->cgroup != NULL)
		cgroup_sweep(watch->cgroup);
	watch->cgroup = NULL;
}

/* ---- the way out ------------------------------------------------------------ */

static void
text_note(const struct ctl_watcher *watcher, enum box_note_kind kind,
    const char *text)
{
	struct box_note note = { .kind = (uint32_t)kind, .count = 1 };

	note.text_len = (uint32_t)strlen(text);
	memcpy(note.text, text, note.text_len + 1);
	watcher->note(watcher->context, &note);
}

static void
way_hear(struct watch *watch)
{
	const struct ctl_watcher *watcher = watch->watcher;

	if (ctl_way_hear(watcher->way, watcher->event, watcher->context))
		return;
	watch->is_cut_off = true;
	if (watcher->way->is_ending)
		return;
	text_note(watcher, BOX_NOTE_LIMIT,
	    "the way out has ended: every connection is refused from now on");
}

static void
way_end(const struct ctl_watcher *watcher)
{
	if (watcher->way != NULL)
		ctl_way_end(watcher->way, watcher->event, watcher->context);
}

/* Returns the wait status of the box's init. */
static int
wait_end(struct watch *watch)
{
	const struct ctl_way *way = watch->watcher->way;
	int status = 0;

	for (;;) {
		const int way_fd =
		    way == NULL || watch->is_cut_off ? -1 : way->events_fd;
		struct pollfd fds[] = {
			{ .fd = watch->child.pidfd, .events = POLLIN },
			{ .fd = watch->notes_fd, .events = POLLIN },
			{ .fd = watch->signals_fd, .events = POLLIN },
			{ .fd = way_fd, .events = POLLIN },
		};

		const int n = poll(fds, ARRAY_LEN(fds), wait_ms(watch));
		if (n < 0)
			continue;
		if (n == 0)
			quiet(watch);
		if (fds[2].revents != 0)
			signals_read(watch);
		if (fds[3].revents != 0)
			way_hear(watch);
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0)
			notes_read(watch);
		deadline_pass(watch);
	}
	notes_read(watch);
	while (waitpid(watch->child.pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static int
exit_code(const struct watch *watch, int status)
{
	if (watch->is_over)
		return BOX_EXIT_TIMEOUT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* ---- the control group --------------------------------------------------- */

/* A limit that somebody asked for, and that holds less than its words say. */
static void
limits_lacking_tell(
    const struct ctl_watcher *watcher, const struct cgroup *cgroup)
{
	static const struct box_limits usual = BOX_LIMITS_DEFAULT;
	const struct box_limits *limits = &watcher->spec->limits;
	const struct cgroup_can can = cgroup_can(cgroup);
	char text[BOX_LIMITS_TEXT_MAX];

	if ((can.memory != 0 || limits->memory_bytes == 0 ||
		limits->memory_bytes == usual.memory_bytes) &&
	    (can.cpu != 0 || limits->cpu_milli == 0))
		return;
	box_limits_describe(limits, cgroup, text);
	text_note(watcher, BOX_NOTE_LIMIT, text);
}

/* Which limit ended a part of the box, as the kernel counted. Asked only where
 * something went wrong: it is two dozen files. */
static void
limits_tell(const struct ctl_watcher *watcher, struct cgroup *cgroup)
{
	struct cgroup_usage usage = { 0 };
	char text[BOX_LIMITS_TEXT_MAX];

	cgroup_usage(cgroup, GROUP, &usage);
	if (box_limits_blame(&watcher->spec->limits, &usage, text))
		text_note(watcher, BOX_NOTE_LIMIT, text);
}

#define auto_cgroup __attribute__((cleanup(cgroup_cleanup)))

static void
cgroup_cleanup(struct cgroup **cgroup)
{
	*cgroup = cgroup_free(*cgroup);
}

/* ---- the start ------------------------------------------------------------ */

static int
start(struct watch *watch, const struct cgroup *cgroup,
    const struct cgroup_door *door, struct err *err)
{
	const struct ctl_way *way = watch->watcher->way;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	watch->notes_fd = pair[0];
	auto_close int init_fd = pair[1];

	const struct box_launch launch = { .spec = watch->watcher->spec,
		.stdio = { 0, 1, 2 },
		.notes_fd = init_fd,
		.egress_fd = way != NULL ? way->box_fd : -1,
		.door = door,
		.has_memory_group = cgroup_can(cgroup).memory != 0 };
	return box_launch(&launch, &watch->child, err);
}

static int
run(struct watch *watch, struct err *err)
{
	const struct box_spec *spec = watch->watcher->spec;
	struct ctl_terminal terminal;
	struct cgroup_door door = CGROUP_DOOR_NONE;
	auto_cgroup struct cgroup *cgroup = NULL;

	int r = cgroup_new(&cgroup);
	if (r < 0)
		return err_set(err, r, "control groups: %s", strerror(-r));
	ctl_terminal_save(&terminal);
	/* Before the start: one that comes now is the program's already. */
	if ((r = signals_take(&watch->signals_fd)) < 0)
		return err_set(err, r, "signalfd: %s", strerror(-r));
	/* Before the box: it is as slow to start, and goes on beside it. */
	if (watch->watcher->way != NULL &&
	    (r = ctl_way_start(watch->watcher->way, err)) < 0)
		return r;
	r = box_limits_open(&spec->limits, cgroup, GROUP, &door, err);
	if (r == 0)
		r = start(watch, cgroup, &door, err);
	cgroup_door_close(&door);
	if (r < 0)
		return r;

	if (spec->limits.wall_ms != 0)
		watch->deadline_ms = now_ms() + spec->limits.wall_ms +
		    spec->limits.grace_ms + GRACE_MORE_MS;
	watch->cgroup = cgroup;
	limits_lacking_tell(watch->watcher, cgroup);
	const int code = exit_code(watch, wait_end(watch));
	ctl_terminal_restore(&terminal);
	if (code != 0)
		limits_tell(watch->watcher, cgroup);
	return code;
}

int
ctl_watcher_run(const struct ctl_watcher *watcher, struct err *err)
{
	struct watch watch = { .watcher = watcher,
		.child.pidfd = -1,
		.notes_fd = -1,
		.signals_fd = -1 };

	const int code = run(&watch, err);

	way_end(watcher);
	if (watch.notes_fd >= 0)
		close(watch.notes_fd);
	if (watch.signals_fd >= 0)
		close(watch.signals_fd);
	if (watch.child.pidfd >= 0)
		close(watch.child.pidfd);
	return code < 0 ? BOX_EXIT_FAILED : code;
}
