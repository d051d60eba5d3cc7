/* SPDX-License-Identifier: Apache-2.0 */
#include "package/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/launch.h"

#define TICK_MS 500
#define QUIET_MS 1000 /* what takes no longer says nothing */
#define SAY_MS 5000
#define GRANTS_MAX 64
#define HOME "/home/package"

/* A lookup of names, and npm's settings of the host; each where it is there.
 * Certificates are in every box. */
static const char *const network_reads[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/gai.conf",
	"/etc/npmrc",
};

struct running {
	const struct run *run;
	struct run_result *result;
	struct box_child child;
	int notes_fd; /* the leash */
	int output_fd;
	size_t tail_len;
	uint64_t started_ms;
	uint64_t said_ms; /* last progress; 0: none yet */
	char why[BOX_NOTE_TEXT_MAX + 1]; /* it could not be started */
};

uint64_t
run_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int
run_program_find(const char *name, char path[PATH_MAX])
{
	const char *folders = getenv("PATH");
	char candidate[PATH_MAX];

	if (folders == NULL)
		folders = "/usr/local/bin:/usr/bin:/bin";
	while (*folders != '\0') {
		const size_t len = strcspn(folders, ":");
		const int n = snprintf(candidate, sizeof(candidate), "%.*s/%s",
		    (int)len, folders, name);
		if (folders[0] == '/' && n > 0 &&
		    (size_t)n < sizeof(candidate) &&
		    access(candidate, X_OK) == 0 &&
		    realpath(candidate, path) != NULL)
			return 0;
		folders += len + (folders[len] == ':');
	}
	return -ENOENT;
}

/* -- what it sees --------------------------------------------------------- */

struct grants {
	struct box_grant items[GRANTS_MAX];
	uint32_t n;
};

static void
grant_add(struct grants *grants, const char *path, const char *at,
    enum box_access access, uint32_t flags)
{
	if (grants->n < GRANTS_MAX)
		grants->items[grants->n++] = (struct box_grant){
			.path = path,
			.at = at,
			.access = access,
			.flags = flags,
		};
}

/* In every box anyway (box/base.def). */
static bool
is_base(const char *path)
{
	static const char *const folders[] = { "/usr/", "/etc/ssl/certs/" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

static const char *
grant_place(const struct box_grant *grant)
{
	return grant->at[0] != '\0' ? grant->at : grant->path;
}

static int
grant_compare(const void *a, const void *b)
{
	return strcmp(grant_place(a), grant_place(b));
}

/* In the order of a spec, none twice. */
static void
grants_sort(struct grants *grants)
{
	uint32_t n = 0;

	qsort(
	    grants->items, grants->n, sizeof(grants->items[0]), grant_compare);
	for (uint32_t i = 0; i < grants->n; i++)
		if (n == 0 ||
		    grant_compare(&grants->items[n - 1], &grants->items[i]) !=
			0)
			grants->items[n++] = grants->items[i];
	grants->n = n;
}

static void
grants_collect(const struct run *run, struct grants *grants)
{
	grant_add(grants, run->staging->path, RUN_PLACE, BOX_ACCESS_WRITE, 0);
	for (size_t i = 0; run->has_network && i < ARRAY_LEN(network_reads);
	     i++)
		/* By name, or the base's own stays: that of no network. */
		grant_add(grants, network_reads[i], network_reads[i],
		    BOX_ACCESS_READ, BOX_GRANT_OPTIONAL);
	for (const char *const *path = run->reads; *path != NULL; path++)
		if (!is_base(*path))
			grant_add(grants, *path, "", BOX_ACCESS_READ,
			    BOX_GRANT_OPTIONAL);
	grants_sort(grants);
}

static uint32_t
words_count(const char *const *words)
{
	uint32_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

static int
box_start(
    struct running *running, const int stdio[3], int notes_fd, struct err *err)
{
	const struct run *run = running->run;
	struct grants grants = { .n = 0 };

	grants_collect(run, &grants);
	const struct box_spec spec = {
		.argv = run->argv,
		.env = run->env,
		.grants = grants.items,
		.n_argv = words_count(run->argv),
		.n_env = words_count(run->env),
		.n_grants = grants.n,
		.flags = BOX_OWN_SESSION |
		    (run->has_network ? BOX_HOST_NETWORK : 0),
		.cwd = RUN_PLACE "/" KEEP_TREE,
		.home = HOME,
		.limits = {
			.memory_bytes = 4ull << 30,
			.tmp_bytes = 1ull << 30,
			.file_bytes = run->limits.bytes,
			.grace_ms = 1000,
			.pids = 512,
			.files = 8192,
		},
	};
	const struct box_launch launch = {
		.spec = &spec,
		.stdio = { stdio[0], stdio[1], stdio[2] },
		.notes_fd = notes_fd,
	};
	return box_launch(&launch, &running->child, err);
}

static int
start(struct running *running, struct err *err)
{
	int pair[2], ends[2];

	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(
		    err, -errno, "%s: %s", running->run->what, strerror(errno));
	running->notes_fd = pair[0];
	auto_close int notes_fd = pair[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(
		    err, -errno, "%s: %s", running->run->what, strerror(errno));
	running->output_fd = ends[0];
	auto_close int output_fd = ends[1];
	const int stdio[3] = { null_fd, output_fd, output_fd };
	return box_start(running, stdio, notes_fd, err);
}

/* -- while it runs -------------------------------------------------------- */

/* Keeps the end; a control character becomes a blank. */
static void
tail_add(struct running *running, const char *raw_bytes, size_t len)
{
	char *tail = running->result->tail;
	const size_t room = RUN_TAIL_BYTES - 1;

	if (len > room) {
		raw_bytes += len - room;
		len = room;
	}
	if (running->tail_len + len > room) {
		const size_t drop = running->tail_len + len - room;
		memmove(tail, tail + drop, running->tail_len - drop);
		running->tail_len -= drop;
	}
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)raw_bytes[i];
		const bool is_control = (c < ' ' && c != '\n') || c == 0x7f;
		tail[running->tail_len++] = is_control ? ' ' : (char)c;
	}
	tail[running->tail_len] = '\0';
}

/* False: its end. */
static bool
output_read(struct running *running)
{
	char bytes[4096];

	const ssize_t n = read(running->output_fd, bytes, sizeof(bytes));
	if (n > 0)
		tail_add(running, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* False: its end. */
static bool
note_read(struct running *running)
{
	struct box_note note;

	const ssize_t n =
	    recv(running->notes_fd, &note, sizeof(note), MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n < (ssize_t)BOX_NOTE_HEAD ||
	    note.text_len > (size_t)n - BOX_NOTE_HEAD)
		return n > 0;
	if (note.kind == BOX_NOTE_FAILED) {
		memcpy(running->why, note.text, note.text_len);
		running->why[note.text_len] = '\0';
	}
	return true;
}

static void
progress_say(struct running *running, uint64_t now_ms, uint64_t bytes)
{
	const struct run *run = running->run;

	if (run->quiet || now_ms - running->started_ms < QUIET_MS ||
	    (running->said_ms != 0 && now_ms - running->said_ms < SAY_MS))
		return;
	running->said_ms = now_ms;
	fprintf(stderr, "cordon: %s is resolved by %s (%llu MiB so far)\n",
	    run->package, run->what, (unsigned long long)(bytes >> 20));
}

/* Sets the sentence and lets go of the leash when it spends too much. */
static int
spending_check(struct running *running, struct err *err)
{
	const struct run *run = running->run;
	const uint64_t now_ms = run_now_ms();
	uint64_t bytes = 0;
	uint32_t entries = 0;

	if (now_ms >= run->deadline_ms)
		return err_set(err, -ETIMEDOUT,
		    "%s took too long and was ended", run->what);
	tree_weigh(run->staging->tree_fd, &run->limits, &bytes, &entries);
	if (bytes > run->limits.bytes || entries > run->limits.entries)
		return err_set(err, -EFBIG,
		    "the package is too big: more than %u files or %llu MiB; "
		    "%s was ended",
		    run->limits.entries,
		    (unsigned long long)(run->limits.bytes >> 20), run->what);
	progress_say(running, now_ms, bytes);
	return 0;
}

static int
watch(struct running *running, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = running->child.pidfd, .events = POLLIN },
		{ .fd = running->output_fd, .events = POLLIN },
		{ .fd = running->notes_fd, .events = POLLIN },
	};
	uint64_t checked_ms = run_now_ms();

	while (fds[0].revents == 0) {
		if (poll(fds, ARRAY_LEN(fds), TICK_MS) < 0 && errno != EINTR)
			return err_set(
			    err, -errno, "poll: %s", strerror(errno));
		if (fds[1].revents != 0 && !output_read(running))
			fds[1].fd = -1;
		if (fds[2].revents != 0 && !note_read(running))
			fds[2].fd = -1;
		if (run_now_ms() - checked_ms < TICK_MS)
			continue;
		const int r = spending_check(running, err);
		if (r < 0)
			return r;
		checked_ms = run_now_ms();
	}
	return 0;
}

/* What came after the last look: the pipe is read dry, but not waited for. */
static void
rest_read(struct running *running)
{
	struct pollfd notes = { .fd = running->notes_fd, .events = POLLIN };

	if (fcntl(running->output_fd, F_SETFL, O_NONBLOCK) == 0)
		while (output_read(running))
			;
	while (poll(&notes, 1, 0) > 0 && note_read(running))
		;
	while (note_read(running)) {
		struct pollfd fd = { .fd = running->notes_fd,
			.events = POLLIN };
		if (poll(&fd, 1, 0) <= 0)
			break;
	}
}

/* The leash goes first: then the box ends, if it had not. */
static int
reap(struct running *running)
{
	siginfo_t info = { 0 };

	close(running->notes_fd);
	running->notes_fd = -1;
	while (waitid(P_PIDFD, (id_t)running->child.pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return info.si_code == CLD_EXITED ? info.si_status
					  : 128 + info.si_status;
}

static void
running_fini(struct running *running)
{
	if (running->child.pidfd >= 0)
		close(running->child.pidfd);
	if (running->notes_fd >= 0)
		close(running->notes_fd);
	if (running->output_fd >= 0)
		close(running->output_fd);
}

static int
run_whole(struct running *running, struct err *err)
{
	int r = start(running, err);
	if (r < 0)
		return r;
	r = watch(running, err);
	if (r == 0)
		rest_read(running);
	const int status = reap(running);
	if (r < 0)
		return r;
	if (status < 0)
		return err_set(err, status, "%s: %s", running->run->what,
		    strerror(-status));
	if (running->why[0] != '\0')
		return err_set(err, -EPERM, "%s could not be run in a box: %s",
		    running->run->what, running->why);
	running->result->status = status;
	return 0;
}

int
run_package_manager(
    const struct run *run, struct run_result *result, struct err *err)
{
	struct running running = {
		.run = run,
		.result = result,
		.child = { .pidfd = -1 },
		.notes_fd = -1,
		.output_fd = -1,
		.started_ms = run_now_ms(),
	};

	*result = (struct run_result){ 0 };
	const int r = run_whole(&running, err);
	running_fini(&running);
	return r;
}
