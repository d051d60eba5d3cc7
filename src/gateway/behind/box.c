/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/behind/box.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/launch.h"
#include "box/note.h"
#include "gateway/behind/link.h"
#include "gateway/log.h"

#define LINE_BYTES 1024 /* of stderr; more is cut */
#define READ_BYTES 16384
#define SECOND_BYTES (256u << 10) /* read of stderr; then its writer waits */
#define SECOND_LINES 200 /* kept of stderr, and as many notes */
#define NOTES_AT_ONCE 64
#define EOF_MS 2000 /* for a server to end with its stdin */
#define GONE_MS 6000 /* its grace, and a little; then the supervisor does it */
#define STRANGE_MAX 16 /* notes that are none */

struct box {
	struct server *server; /* held */
	struct link *link; /* NULL: it is over */
	int stderr_fd;
	int notes_fd;
	struct event *stderr_readable;
	struct event *notes_readable;
	struct event *second; /* the next one begins: budgets are full again */
	struct event *leave; /* the link is over: what comes next */
	unsigned n_lines; /* of this second */
	unsigned n_notes;
	unsigned n_dropped; /* of both */
	size_t n_bytes;
	unsigned n_strange;
	bool is_told; /* to end */
	bool has_over; /* `over` says why */
	enum upstream_over over;
	char why[256];
	bool was_well; /* it ended by itself, with exit code 0 */
	char limit[128]; /* the last that ended something; "": none */
	size_t line_len;
	bool is_cut; /* the rest of this line is skipped */
	char line[LINE_BYTES];
};

static void box_log(struct box *box, enum log_level level, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static void
box_log(struct box *box, enum log_level level, const char *format, ...)
{
	char text[BOX_NOTE_TEXT_MAX + 128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	server_log(box->server, (int)level, 0, text, strlen(text));
}

static void
event_drop(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static void
descriptor_drop(int *fd, struct event **event)
{
	event_drop(event);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void on_stderr(evutil_socket_t fd, short what, void *arg);

/* Its last words are there by now. */
static void
stderr_drain(struct box *box)
{
	for (size_t n = 0; n < SECOND_BYTES && box->stderr_fd >= 0;
	     n += READ_BYTES)
		on_stderr(box->stderr_fd, 0, box);
}

static void
box_free(struct box *box)
{
	stderr_drain(box);
	descriptor_drop(&box->stderr_fd, &box->stderr_readable);
	descriptor_drop(&box->notes_fd, &box->notes_readable);
	event_drop(&box->second);
	event_drop(&box->leave);
	if (box->has_over)
		box->server->n_box_ends[box->over]++;
	box->server->n_boxes--;
	server_unref(box->server);
	free(box);
}

/* The first reason is the one. */
static void over_set(struct box *box, enum upstream_over over,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
over_set(struct box *box, enum upstream_over over, const char *format, ...)
{
	va_list args;

	if (box->has_over)
		return;
	box->has_over = true;
	box->over = over;
	va_start(args, format);
	vsnprintf(box->why, sizeof(box->why), format, args);
	va_end(args);
}

/* ---- budgets of a second -------------------------------------------------- */

static void
second_begin(struct box *box)
{
	static const struct timeval second = { 1, 0 };

	if (!evtimer_pending(box->second, NULL))
		evtimer_add(box->second, &second);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct box *box = arg;

	(void)fd;
	(void)what;
	if (box->n_dropped > 0)
		box_log(box, LOG_WARN,
		    "%u lines of this second are left out: more than %u are "
		    "not kept",
		    box->n_dropped, SECOND_LINES);
	box->n_lines = box->n_notes = box->n_dropped = 0;
	box->n_bytes = 0;
	if (box->stderr_readable != NULL)
		event_add(box->stderr_readable, NULL);
}

static bool
may_say(struct box *box, unsigned *n)
{
	second_begin(box);
	if ((*n)++ < SECOND_LINES)
		return true;
	box->n_dropped++;
	return false;
}

/* ---- stderr ---------------------------------------------------------------- */

static void
line_end(struct box *box)
{
	size_t len = box->line_len;

	while (len > 0 && box->line[len - 1] == '\r')
		len--;
	if (len > 0 && may_say(box, &box->n_lines))
		server_log(box->server, LOG_INFO, 0, box->line, len);
	box->line_len = 0;
	box->is_cut = false;
}

static void
line_add(struct box *box, const char *raw_text, size_t len)
{
	const size_t room = sizeof(box->line) - box->line_len;
	const size_t n = len < room ? len : room;

	memcpy(box->line + box->line_len, raw_text, n);
	box->line_len += n;
}

static void
lines_take(struct box *box, const char *raw_text, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(raw_text, '\n', len);
		const size_t n =
		    newline != NULL ? (size_t)(newline - raw_text) : len;
		line_add(box, raw_text, n);
		if (newline == NULL)
			return;
		line_end(box);
		raw_text += n + 1;
		len -= n + 1;
	}
}

static void
on_stderr(evutil_socket_t fd, short what, void *arg)
{
	static char raw_bytes[READ_BYTES];
	struct box *box = arg;

	(void)what;
	const ssize_t n = read(fd, raw_bytes, sizeof(raw_bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		line_end(box);
		descriptor_drop(&box->stderr_fd, &box->stderr_readable);
		return;
	}
	lines_take(box, raw_bytes, (size_t)n);
	box->n_bytes += (size_t)n;
	if (box->n_bytes < SECOND_BYTES || box->stderr_readable == NULL)
		return;
	second_begin(box);
	event_del(box->stderr_readable);
}

/* ---- notes ----------------------------------------------------------------- */

static void
failed_take(struct box *box, const struct box_note *note)
{
	over_set(box, UPSTREAM_OVER_FAILED,
	    "the server could not start: %.200s", note->text);
	box_log(box, LOG_ERROR, "could not start: %s", note->text);
}

static void
started_take(struct box *box, const struct box_note *note)
{
	if (note->text_len > 0) /* the supervisor's; that of init has none */
		box_log(box, LOG_INFO, "limits in force: %s", note->text);
}

static void
refused_log(struct box *box, const char *what, const char *text, uint32_t count)
{
	char times[32] = "";

	if (count > 1)
		snprintf(times, sizeof(times), " (%u times)", count);
	if (may_say(box, &box->n_notes))
		box_log(box, LOG_WARN, "refused: %s%s%s", what, text, times);
}

static void
file_take(struct box *box, const struct box_note *note)
{
	char verb[32];

	snprintf(
	    verb, sizeof(verb), "%s ", box_verb_name((uint32_t)note->code));
	refused_log(box, verb, note->text, note->count);
}

static void
call_take(struct box *box, const struct box_note *note)
{
	refused_log(box, "system call ", note->text, note->count);
}

static void
net_take(struct box *box, const struct box_note *note)
{
	refused_log(box, "", note->text, note->count);
}

static void
lost_take(struct box *box, const struct box_note *note)
{
	box_log(box, LOG_WARN, "%u more refusals were too many to tell",
	    note->count);
}

/* It may have ended a part of it; whether all, says the end. */
static void
limit_take(struct box *box, const struct box_note *note)
{
	snprintf(box->limit, sizeof(box->limit), "%.*s",
	    (int)sizeof(box->limit) - 1, note->text);
	if (may_say(box, &box->n_notes))
		box_log(box, LOG_WARN, "limit: %s", note->text);
}

static void
exited_take(struct box *box, const struct box_note *note)
{
	const char *signal_text =
	    WIFSIGNALED(note->code) ? sigdescr_np(WTERMSIG(note->code)) : NULL;

	box->was_well = note->code == 0;
	if (WIFSIGNALED(note->code))
		over_set(box, UPSTREAM_OVER_LEFT,
		    "the server ended by signal %d (%s)", WTERMSIG(note->code),
		    signal_text == NULL ? "?" : signal_text);
	else
		over_set(box, UPSTREAM_OVER_LEFT,
		    "the server ended with exit code %d",
		    WEXITSTATUS(note->code));
}

static const struct {
	uint32_t kind;
	void (*take)(struct box *, const struct box_note *);
} kinds[] = {
	{ BOX_NOTE_FAILED, failed_take },
	{ BOX_NOTE_STARTED, started_take },
	{ BOX_NOTE_FILE, file_take },
	{ BOX_NOTE_CALL, call_take },
	{ BOX_NOTE_NET, net_take },
	{ BOX_NOTE_LOST, lost_take },
	{ BOX_NOTE_LIMIT, limit_take },
	{ BOX_NOTE_EXITED, exited_take },
};

/* What has not the length that it says is no note. */
static bool
note_take(struct box *box, struct box_note *raw_note, size_t len)
{
	if (len < BOX_NOTE_HEAD || raw_note->text_len > BOX_NOTE_TEXT_MAX ||
	    len != BOX_NOTE_HEAD + raw_note->text_len)
		return false;
	if (raw_note->text_len == BOX_NOTE_TEXT_MAX)
		raw_note->text_len--;
	raw_note->text[raw_note->text_len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == raw_note->kind) {
			kinds[i].take(box, raw_note);
			return true;
		}
	return raw_note->kind == BOX_NOTE_TOUCHED ||
	    raw_note->kind == BOX_NOTE_STOPPED;
}

static void
limit_weigh(struct box *box)
{
	if (!box->has_over || box->over != UPSTREAM_OVER_LEFT ||
	    box->was_well || box->limit[0] == '\0')
		return;
	box->over = UPSTREAM_OVER_LIMIT;
	snprintf(box->why, sizeof(box->why), "the server was ended by its %s",
	    box->limit);
}

static void
notes_end(struct box *box)
{
	over_set(box, UPSTREAM_OVER_LEFT, "the server and its box were killed");
	descriptor_drop(&box->notes_fd, &box->notes_readable);
	if (box->link != NULL)
		link_box_over(box->link);
	else
		box_free(box);
}

static void
on_notes(evutil_socket_t fd, short what, void *arg)
{
	struct box *box = arg;
	struct box_note note;

	(void)what;
	for (int i = 0; i < NOTES_AT_ONCE; i++) {
		const ssize_t n =
		    recv(fd, &note, sizeof(note), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			notes_end(box);
			return;
		}
		if (note_take(box, &note, (size_t)n))
			continue;
		if (box->n_strange++ == 0)
			box_log(box, LOG_ERROR,
			    "its box notes what is no note: it is not what it "
			    "was");
		if (box->n_strange >= STRANGE_MAX) {
			over_set(box, UPSTREAM_OVER_BROKEN,
			    "the server's box was broken");
			notes_end(box);
			return;
		}
	}
}

/* ---- begin and end --------------------------------------------------------- */

/* What was left alone did not end: TERM, grace, KILL; then the leash. */
static void
on_leave(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval patience = { GONE_MS / 1000, 0 };
	static const struct box_order end = { .signal = 0 };
	struct box *box = arg;

	(void)fd;
	(void)what;
	if (!box->is_told &&
	    send(box->notes_fd, &end, sizeof(end),
		MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(end)) {
		box->is_told = true;
		evtimer_add(box->leave, &patience);
		return;
	}
	box_free(box);
}

static bool
events_make(struct box *box, struct event_base *base)
{
	box->stderr_readable = event_new(
	    base, box->stderr_fd, EV_READ | EV_PERSIST, on_stderr, box);
	box->notes_readable =
	    event_new(base, box->notes_fd, EV_READ | EV_PERSIST, on_notes, box);
	box->second = evtimer_new(base, on_second, box);
	box->leave = evtimer_new(base, on_leave, box);
	return box->stderr_readable != NULL && box->notes_readable != NULL &&
	    box->second != NULL && box->leave != NULL &&
	    event_add(box->stderr_readable, NULL) == 0 &&
	    event_add(box->notes_readable, NULL) == 0;
}

struct box *
box_new(struct link *link, int raw_stderr_fd, int raw_notes_fd)
{
	auto_close int stderr_fd = raw_stderr_fd;
	auto_close int notes_fd = raw_notes_fd;
	struct box *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	*box = (struct box){ .server = server_ref(link->upstream->server),
		.link = link,
		.stderr_fd = fd_steal(&stderr_fd),
		.notes_fd = fd_steal(&notes_fd) };
	box->server->n_boxes++;
	box->server->n_box_starts++;
	if (!events_make(box, link->upstream->gateway->base)) {
		box_free(box);
		return NULL;
	}
	return box;
}

bool
box_is_over(const struct box *box)
{
	return box->notes_fd < 0;
}

const char *
box_why(struct box *box, enum upstream_over *over)
{
	limit_weigh(box);
	if (!box->has_over)
		return NULL;
	*over = box->over;
	return box->why;
}

void
box_leave(struct box *box, enum upstream_over over, const char *why)
{
	static const struct timeval patience = { EOF_MS / 1000, 0 };
	const bool is_failure = over <= UPSTREAM_OVER_BROKEN;

	over_set(box, over, "%s", why);
	box_log(box, is_failure ? LOG_WARN : LOG_INFO, "ended: %s", why);
	box->link = NULL;
	if (box_is_over(box) || evtimer_add(box->leave, &patience) != 0)
		box_free(box);
}
