/* SPDX-License-Identifier: Apache-2.0
 *
 * Stdio servers in boxes. A link to one is a box: its pipes and its notes go to
 * the gateway, its launcher is our child. What the payload does is nobody's
 * business here: we see that the whole tree is bounded, and that it is gone.
 *
 *   gateway -> us          LINK: a control group, three pipes, the pair of
 *                          notes, a launcher born into the group; BOXED at once
 *   gateway closes notes   the box's init ends it (box/note.h); should it not,
 *                          we kill it a few seconds after its grace
 *   launcher ends          reaped; what is left in the group is killed, the
 *                          group removed, our end of the notes closed: so the
 *                          gateway hears the end when all of it is gone
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/launch.h"
#include "box/limits.h"
#include "supervisor/supervisor.h"

#define GRACE_MAX_MS 5000 /* who is denied does not say how long it goes on */
#define LATE_MS 5000 /* beyond its own grace: then it is killed */
#define STOP_MS 3000 /* all of them, when we end */
#define OWN_PIDS 2 /* launcher and init */
#define FD_SCRATCH 64 /* above any target number */

/* The box's half, and the gateway's, in the order of BOXED. */
struct ends {
	int inside[4]; /* stdin, stdout, stderr, notes */
	int outside[4];
};

#define ENDS_NONE                                                              \
	{                                                                      \
		{ -1, -1, -1, -1 },                                            \
		{                                                              \
			-1, -1, -1, -1                                         \
		}                                                              \
	}

static void
ends_close(int fds[4])
{
	for (int i = 0; i < 4; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* Only the gateway never waits. */
static int
ends_make(struct ends *ends)
{
	for (int i = 0; i < 3; i++) {
		int pipe_fds[2];
		const int inside = i == 0 ? 0 : 1;
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return -errno;
		ends->inside[i] = pipe_fds[inside];
		ends->outside[i] = pipe_fds[!inside];
	}
	int pair[2];
	const int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0)
		return code;
	ends->inside[3] = pair[0];
	ends->outside[3] = pair[1];
	for (int i = 0; i < 4; i++)
		if (fcntl(ends->outside[i], F_SETFL,
			fcntl(ends->outside[i], F_GETFL) | O_NONBLOCK) < 0)
			return -errno;
	return 0;
}

/* ---- the launcher ---------------------------------------------------------- */

struct start {
	struct ends ends;
	int exe_fd;
	int spec_fd;
	int egress_fd; /* owned: the launcher's half; -1: it has no network */
	int32_t link;
	struct cgroup_door door;
	bool has_memory_group;
};

static int
heritage_set(const struct start *start, int *exe_fd)
{
	const int given[] = { start->ends.inside[0], start->ends.inside[1],
		start->ends.inside[2], start->spec_fd, start->ends.inside[3],
		start->egress_fd };
	const size_t n = ARRAY_LEN(given) - (start->egress_fd < 0 ? 1 : 0);
	int scratch[ARRAY_LEN(given)];

	/* First out of the way, then into place: no target is overwritten
	 * before it was moved. */
	for (size_t i = 0; i < n; i++)
		if ((scratch[i] =
			    fcntl(given[i], F_DUPFD_CLOEXEC, FD_SCRATCH)) < 0)
			return -errno;
	if ((*exe_fd = fcntl(start->exe_fd, F_DUPFD_CLOEXEC, FD_SCRATCH)) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++)
		if (dup2(scratch[i], (int)i) < 0)
			return -errno;
	return syscall(SYS_close_range, n, ~0u, CLOSE_RANGE_CLOEXEC) < 0
	    ? -errno
	    : 0;
}

static void
failure_note(int notes_fd, const char *text, int code)
{
	struct box_note note = { .kind = BOX_NOTE_FAILED, .code = code };
	const int len = snprintf(
	    note.text, sizeof(note.text), "%s: %s", text, strerror(code));

	note.text_len = (uint32_t)len;
	send(notes_fd, &note, BOX_NOTE_HEAD + note.text_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The child: runs on into exec, or ends; never returns. */
static void __attribute__((noreturn)) child_run(const struct start *start)
{
	const char *const argv[] = { "cordon-box", "--spec", "3", "--notes",
		"4", "--memory-group", start->has_memory_group ? "yes" : "no",
		start->egress_fd >= 0 ? "--egress" : NULL, "5", NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "LANG=C.UTF-8",
		"ASAN_OPTIONS=detect_leaks=0", NULL };
	const int notes_fd = start->ends.inside[3];
	int exe_fd = -1;
	sigset_t none;

	int code = cgroup_door_enter(&start->door);
	if (code != 0) {
		failure_note(notes_fd, "its control group", -code);
		_exit(BOX_EXIT_FAILED);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if ((code = heritage_set(start, &exe_fd)) != 0) {
		failure_note(notes_fd, "its descriptors", -code);
		_exit(BOX_EXIT_FAILED);
	}
	/* execveat(2) does not write through these, whatever its prototype. */
	execveat(exe_fd, "", (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)env, AT_EMPTY_PATH);
	failure_note(4, "cordon-box", errno);
	_exit(BOX_EXIT_FAILED);
}

static int
launcher_start(const struct start *start, struct box *box, struct err *err)
{
	int pidfd = -1;
	struct clone_args args = { .flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD };

	if (start->door.into_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint32_t)start->door.into_fd;
	}
	const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return err_set(
		    err, -errno, "no process for a box: %s", strerror(errno));
	if (pid == 0)
		child_run(start);
	box->pid = pid;
	box->pidfd = pidfd;
	/* Who opens /dev/stdout anew must own it. */
	if (geteuid() == 0)
		for (int i = 0; i < 3; i++)
			if (fchown(start->ends.inside[i],
				BOX_PAYLOAD_UID_BASE + (uid_t)pid,
				BOX_PAYLOAD_UID_BASE + (gid_t)pid) < 0)
				break; /* then it cannot: no harm */
	return 0;
}

/* ---- its control group ----------------------------------------------------- */

#define GROUP_MAX (sizeof("t-/b-4294967295") + WIRE_NAME_MAX)

static void
group_name(const struct box *box, char group[GROUP_MAX])
{
	snprintf(group, GROUP_MAX, "t-%s/b-%u", box->tenant, box->number);
}

static int
group_make(struct supervisor *supervisor, const struct box *box,
    struct cgroup_door *door, struct err *err)
{
	const struct box_limits *limits = &box->limits;
	const struct cgroup_limits wanted = {
		.memory_bytes = limits->memory_bytes,
		.pids = limits->pids == 0 ? 0 : limits->pids + OWN_PIDS,
		.cpu_milli = limits->cpu_milli,
		.cpu_share = 1,
	};
	char group[GROUP_MAX];

	snprintf(group, sizeof(group), "t-%s", box->tenant);
	int code = cgroup_has(supervisor->cgroup, group)
	    ? 0
	    : tenant_group_set(supervisor, box->tenant, err);
	group_name(box, group);
	if (code == 0)
		code = cgroup_set(supervisor->cgroup, group, &wanted, err);
	return code == 0
	    ? cgroup_door_open(supervisor->cgroup, group, door, err)
	    : code;
}

/* All that is left of it dies now. */
static void
group_end(struct supervisor *supervisor, const struct box *box)
{
	char group[GROUP_MAX];

	group_name(box, group);
	cgroup_kill(supervisor->cgroup, group);
	cgroup_remove(supervisor->cgroup, group);
}

/* What the kernel refused or ended stands in the group alone. */
static void
limit_note(struct supervisor *supervisor, const struct box *box)
{
	struct box_note note = { .kind = BOX_NOTE_LIMIT };
	struct cgroup_usage usage = { 0 };
	char group[GROUP_MAX];

	group_name(box, group);
	cgroup_usage(supervisor->cgroup, group, &usage);
	if (!box_limits_blame(&box->limits, &usage, note.text))
		return;
	note.text_len = (uint32_t)strlen(note.text);
	send(box->notes_fd, &note, BOX_NOTE_HEAD + note.text_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Which limits hold here, we know; init says when it runs. */
static void
start_note(struct supervisor *supervisor, const struct box *box)
{
	struct box_note note = { .kind = BOX_NOTE_STARTED };

	box_limits_describe(&box->limits, supervisor->cgroup, note.text);
	note.text_len = (uint32_t)strlen(note.text);
	send(box->notes_fd, &note, BOX_NOTE_HEAD + note.text_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the table ------------------------------------------------------------- */

static int
boxes_grow(struct supervisor *supervisor)
{
	const uint32_t room =
	    supervisor->n_boxes == 0 ? 16 : 2 * supervisor->n_boxes;

	if (supervisor->n_boxes < supervisor->boxes_room)
		return 0;
	struct box *boxes =
	    reallocarray(supervisor->boxes, room, sizeof(*boxes));
	if (boxes == NULL)
		return -ENOMEM;
	supervisor->boxes = boxes;
	supervisor->boxes_room = room;
	return 0;
}

/* Where there are several tenants, none has more than three quarters. */
static int
room_check(
    const struct supervisor *supervisor, const char *tenant, struct err *err)
{
	const uint32_t max =
	    supervisor->n_tenants > 1 ? WIRE_BOXES_MAX / 4 * 3 : WIRE_BOXES_MAX;
	uint32_t n = 0;

	for (uint32_t i = 0; i < supervisor->n_boxes; i++)
		n += strcmp(supervisor->boxes[i].tenant, tenant) == 0;
	if (n >= max || supervisor->n_boxes >= WIRE_BOXES_MAX)
		return err_set(err, -EAGAIN,
		    "%u boxes run here, %u of them of this tenant, and more "
		    "may not: try again when some have ended",
		    supervisor->n_boxes, n);
	return 0;
}

int
box_check(const struct wire_deployment *record, struct err *err)
{
	auto_free void *memory = NULL;
	struct box_spec spec;

	if (record->kind != WIRE_KIND_BOX)
		return 0;
	const int code = box_spec_read(record->bundle_fd, &spec, &memory);
	return code == 0
	    ? 0
	    : err_set(err, code < 0 ? code : -EINVAL,
		  "the box spec of '%s' cannot be read", record->name);
}

static int
spec_look(int spec_fd, struct box_limits *limits, bool *has_network)
{
	auto_free void *memory = NULL;
	struct box_spec spec;

	const int code = box_spec_read(spec_fd, &spec, &memory);
	if (code != 0)
		return code < 0 ? code : -EINVAL;
	*limits = spec.limits;
	*has_network = spec.n_ports > 0;
	return 0;
}

/* Whose the listeners are that will come over it, egress hears before them. */
static int
egress_join(struct supervisor *supervisor, const struct box *box,
    struct start *start, struct err *err)
{
	const struct wire_message message = { .type = WIRE_EGRESS_BOX,
		.id = box->deployment,
		.status = start->link };
	int pair[2];

	const int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));
	auto_close int theirs_fd = pair[0];
	start->egress_fd = pair[1];
	return egress_tell(supervisor, &message, theirs_fd) == 0
	    ? 0
	    : err_set(err, -ENOTCONN, "%s", EGRESS_AWAY);
}

/* The group, the launcher in it; its ends stay the caller's. */
static int
box_launch_in_group(struct supervisor *supervisor, struct box *box,
    struct start *start, struct err *err)
{
	bool has_network = false;
	int code = spec_look(start->spec_fd, &box->limits, &has_network);
	if (code != 0)
		return err_set(err, code, "its spec: %s", strerror(-code));
	if (has_network &&
	    (code = egress_join(supervisor, box, start, err)) != 0)
		return code;
	start->has_memory_group = box->limits.memory_bytes != 0 &&
	    cgroup_can(supervisor->cgroup).memory != 0;
	code = group_make(supervisor, box, &start->door, err);
	if (code == 0)
		code = launcher_start(start, box, err);
	cgroup_door_close(&start->door);
	if (code != 0)
		group_end(supervisor, box);
	return code;
}

static int
box_make(struct supervisor *supervisor, const struct deployment *deployment,
    struct start *start, struct err *err)
{
	struct box box = { .pidfd = -1,
		.deployment = deployment->id,
		.number = ++supervisor->last_box };

	memcpy(box.tenant, deployment->record.tenant, sizeof(box.tenant));
	int code = room_check(supervisor, box.tenant, err);
	if (code == 0 && (code = boxes_grow(supervisor)) != 0)
		err_set(err, code, "out of memory");
	if (code == 0 && (code = ends_make(&start->ends)) != 0)
		err_set(err, code, "no pipes for it: %s", strerror(-code));
	if (code == 0)
		code = box_launch_in_group(supervisor, &box, start, err);
	if (code != 0)
		return code;
	box.notes_fd = fd_steal(&start->ends.inside[3]);
	start_note(supervisor, &box);
	supervisor->boxes[supervisor->n_boxes++] = box;
	return 0;
}

int
box_start(struct supervisor *supervisor, const struct deployment *deployment,
    const struct wire_message *order, struct err *err)
{
	const struct wire_message reply = {
		.type = WIRE_BOXED, .id = order->id, .status = order->status
	};
	struct start start = { .ends = ENDS_NONE,
		.spec_fd = deployment->record.bundle_fd,
		.egress_fd = -1,
		.link = order->status,
		.door = CGROUP_DOOR_NONE };
	int exe = -1;

	int code = sibling_open(supervisor, "cordon-box", &exe, err);
	auto_close int exe_fd = exe;
	start.exe_fd = exe_fd;
	if (code == 0)
		code = box_make(supervisor, deployment, &start, err);
	if (code == 0)
		caller_tell(supervisor, &reply, start.ends.outside, 4, NULL);
	ends_close(start.ends.inside);
	ends_close(start.ends.outside);
	if (start.egress_fd >= 0)
		close(start.egress_fd);
	return code;
}

/* ---- the end --------------------------------------------------------------- */

static void
box_kill(struct supervisor *supervisor, const struct box *box)
{
	char group[GROUP_MAX];

	syscall(SYS_pidfd_send_signal, box->pidfd, SIGKILL, NULL, 0);
	group_name(box, group);
	cgroup_kill(supervisor->cgroup, group);
}

/* Its launcher has ended, or was killed. */
static void
box_reap(struct supervisor *supervisor, uint32_t at)
{
	struct box *box = &supervisor->boxes[at];

	waitpid(box->pid, NULL, 0);
	limit_note(supervisor, box);
	group_end(supervisor, box);
	close(box->pidfd);
	close(box->notes_fd);
	*box = supervisor->boxes[--supervisor->n_boxes];
}

static void
box_expect_end(struct box *box)
{
	const uint32_t grace_ms = box->limits.grace_ms < GRACE_MAX_MS
	    ? box->limits.grace_ms
	    : GRACE_MAX_MS;

	if (box->kill_at_ms == 0)
		box->kill_at_ms = supervisor_now_ms() + grace_ms + LATE_MS;
}

void
boxes_end(struct supervisor *supervisor, uint32_t deployment)
{
	for (uint32_t i = 0; i < supervisor->n_boxes; i++)
		if (supervisor->boxes[i].deployment == deployment)
			box_expect_end(&supervisor->boxes[i]);
}

void
boxes_end_all(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->n_boxes; i++)
		box_expect_end(&supervisor->boxes[i]);
}

void
boxes_kill(struct supervisor *supervisor, uint32_t deployment)
{
	for (uint32_t i = 0; i < supervisor->n_boxes; i++) {
		if (supervisor->boxes[i].deployment != deployment)
			continue;
		box_kill(supervisor, &supervisor->boxes[i]);
		box_expect_end(&supervisor->boxes[i]);
	}
}

uint64_t
boxes_next_ms(const struct supervisor *supervisor)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < supervisor->n_boxes; i++) {
		const uint64_t at = supervisor->boxes[i].kill_at_ms;
		if (at != 0 && at < next)
			next = at;
	}
	return next;
}

void
boxes_kill_due(struct supervisor *supervisor)
{
	const uint64_t now = supervisor_now_ms();

	for (uint32_t i = 0; i < supervisor->n_boxes; i++) {
		struct box *box = &supervisor->boxes[i];
		if (box->kill_at_ms == 0 || box->kill_at_ms > now)
			continue;
		box_kill(supervisor, box);
		box->kill_at_ms = now + LATE_MS; /* dying may take a while */
	}
}

void
boxes_events_set(const struct supervisor *supervisor, struct pollfd *fds)
{
	for (uint32_t i = 0; i < supervisor->n_boxes; i++) {
		const struct box *box = &supervisor->boxes[i];
		/* That the gateway closed its notes, is heard once. */
		const int notes_fd = box->kill_at_ms == 0 ? box->notes_fd : -1;
		fds[BOX_EVENTS * i] = (struct pollfd){ box->pidfd, POLLIN, 0 };
		fds[BOX_EVENTS * i + 1] = (struct pollfd){ notes_fd, 0, 0 };
	}
}

/* From the last: who is reaped leaves its place to one that was looked at. */
void
boxes_hear(struct supervisor *supervisor, const struct pollfd *fds)
{
	for (uint32_t i = supervisor->n_boxes; i-- > 0;)
		if (fds[BOX_EVENTS * i].revents != 0)
			box_reap(supervisor, i);
		else if (fds[BOX_EVENTS * i + 1].revents != 0)
			box_expect_end(&supervisor->boxes[i]);
}

void
boxes_stop(struct supervisor *supervisor)
{
	const uint64_t end = supervisor_now_ms() + STOP_MS;

	for (uint32_t i = supervisor->n_boxes; i-- > 0;) {
		const uint64_t now = supervisor_now_ms();
		struct pollfd fd = { supervisor->boxes[i].pidfd, POLLIN, 0 };
		if (poll(&fd, 1, now < end ? (int)(end - now) : 0) != 1)
			box_kill(supervisor, &supervisor->boxes[i]);
		box_reap(supervisor, i);
	}
	free(supervisor->boxes);
	supervisor->boxes = NULL;
}
