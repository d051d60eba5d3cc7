/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The bytes of a link. They go out as far as the server reads; what it does not
 * read is queued up to a bound.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "gateway/behind/link.h"
#include "gateway/log.h"

#define READ_MAX 65536
#define LEAVING_MS 1000 /* between the end of a server and that of its box */

static void
uris_free(struct link *link)
{
	struct uri *uri;

	while ((uri = link->uris) != NULL) {
		link->uris = uri->next;
		free(uri);
	}
}

static void
descriptor_close(struct link *link)
{
	struct chunk *chunk;

	if (link->readable != NULL)
		event_free(link->readable);
	if (link->writable != NULL)
		event_free(link->writable);
	link->readable = link->writable = NULL;
	if (link->read_fd >= 0)
		close(link->read_fd);
	if (link->write_fd >= 0 && link->write_fd != link->read_fd)
		close(link->write_fd);
	link->read_fd = link->write_fd = -1;
	link->is_leaving = false;
	if (link->remote != NULL)
		remote_leave(steal_ptr(&link->remote));
	while ((chunk = link->queue) != NULL) {
		link->queue = chunk->next;
		free(chunk);
	}
	link->queued = 0;
	json_out_reset(&link->lines.rest);
}

static void
link_free(struct link *link)
{
	descriptor_close(link);
	if (link->timer != NULL)
		event_free(link->timer);
	mcp_lines_fini(&link->lines);
	uris_free(link);
	free(link->hello);
	principal_unref(link->principal);
	free(link);
}

void
link_timer_set(struct link *link, uint64_t ms)
{
	const struct timeval delay = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(link->timer, &delay);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lines_timer(arg);
}

static void
on_link(void *arg, const struct pool_link *made, const char *failure);

static struct link *
link_make(struct upstream *upstream, const struct owner *owner)
{
	const uint64_t result_bytes =
	    upstream->server->record.launch.limits.result_bytes;
	const uint64_t now = behind_now_ms();
	struct link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	*link = (struct link){ .upstream = upstream,
		.can = owner->can,
		.has_session = owner->session != NULL,
		.read_fd = -1,
		.write_fd = -1,
		.opened_ms = now,
		.start_ms = now,
		.used_ms = now };
	if (owner->principal != NULL)
		link->principal = principal_ref(owner->principal);
	if (link->has_session)
		memcpy(link->session, owner->session, sizeof(link->session));
	mcp_lines_init(&link->lines,
	    result_bytes > 0 && result_bytes < LINK_LINE_MAX ? result_bytes
							     : LINK_LINE_MAX);
	link->timer = evtimer_new(upstream->gateway->base, on_timer, link);
	if (link->timer == NULL) {
		link_free(link);
		return NULL;
	}
	return link;
}

struct link *
link_new(struct upstream *upstream, const struct owner *owner)
{
	struct link *link = link_make(upstream, owner);

	if (link == NULL ||
	    pool_link_open(upstream->gateway->pool, upstream->server->record.id,
		on_link, link) != 0) {
		if (link != NULL)
			link_free(link);
		return NULL;
	}
	link_timer_set(link, life_start_ms(upstream));
	link->next = upstream->links;
	upstream->links = link;
	upstream->n_links++;
	return link;
}

/* Somebody still wants to hear of resources: at once on a link of its own. */
static void
subscriptions_bequeath(struct link *link)
{
	const struct owner owner = life_owner(link);
	char why[256];

	if (link->uris == NULL)
		return;
	struct link *heir = life_start(link->upstream, &owner, why);
	if (heir == NULL) {
		log_line(LOG_WARN, 0,
		    "server %s: updates of resources are no longer heard of: "
		    "%s",
		    link->upstream->server->name, why);
		return;
	}
	heir->uris = steal_ptr(&link->uris);
	heir->n_uris = link->n_uris;
	link->n_uris = 0;
}

void
link_reopen(struct link *link)
{
	struct upstream *upstream = link->upstream;

	descriptor_close(link);
	if (link->box != NULL)
		box_leave(steal_ptr(&link->box), UPSTREAM_OVER_LEFT,
		    "it is asked again in older words");
	link->stage = LINK_OPENING;
	link->start_ms = behind_now_ms();
	link_timer_set(link, life_start_ms(upstream));
	if (pool_link_open(upstream->gateway->pool, upstream->server->record.id,
		on_link, link) != 0)
		link_end(link, UPSTREAM_OVER_FAILED, false, "out of memory");
}

static void
link_unlink(struct link *link)
{
	struct link **at = &link->upstream->links;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->upstream->n_links--;
}

/* Each call of a link that died: anew, or the reason. */
static void
calls_end(struct upstream_call *calls, bool again, const char *why)
{
	struct upstream_call *call;

	while ((call = calls) != NULL) {
		calls = call->next_on_link;
		call->next_on_link = NULL;
		call->link = NULL;
		call->id = 0;
		if (again && !call->is_written && !call->is_retried &&
		    call->pinned == NULL) {
			call->is_retried = true;
			call->has_begun = false;
			event_active(call->begin, EV_TIMEOUT, 1);
		} else {
			call->fate_text = strdup(why);
			call->fate = call->fate_text != NULL ? call->fate_text
							     : "out of memory";
			event_active(call->begin, EV_TIMEOUT, 1);
		}
	}
}

static bool
is_carrying_capture(const struct link *link)
{
	for (const struct upstream_call *call = link->calls; call != NULL;
	     call = call->next_on_link)
		if (call->is_capture)
			return true;
	return false;
}

void
link_end(struct link *link, enum upstream_over over, bool again,
    const char *format, ...)
{
	struct upstream *upstream = link->upstream;
	char why[256];
	va_list args;

	if (link->is_dead)
		return;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	log_line(LOG_DEBUG, 0, "server %s: a link is over: %s",
	    upstream->server->name, why);
	link->is_dead = true;
	link_unlink(link);
	pool_link_forget(upstream->gateway->pool, on_link, link);
	life_over(link, over);
	if (link->box != NULL)
		box_leave(steal_ptr(&link->box), over, why);
	if (upstream->again_link == link) {
		upstream->again_link = NULL;
		event_del(upstream->again);
	}
	const bool carries_capture = is_carrying_capture(link);
	calls_end(steal_ptr(&link->calls), again, why);
	if (upstream->capture != NULL &&
	    (link->greets || carries_capture ||
		capture_link(upstream->capture) == link))
		capture_lost(upstream->capture, why);
	if (again)
		subscriptions_bequeath(link);
	if (!link->is_reading)
		link_free(link);
}

void
link_left(struct link *link)
{
	enum upstream_over over = UPSTREAM_OVER_LEFT;
	const char *why = link->box == NULL ? NULL : box_why(link->box, &over);
	char text[256];

	snprintf(text, sizeof(text), "%s",
	    why == NULL ? "the server ended in the middle of the call" : why);
	if (over == UPSTREAM_OVER_LEFT && lines_left(link))
		link_reopen(link);
	else
		link_end(link, over, over == UPSTREAM_OVER_LEFT, "%s", text);
}

/* It wrote its last. Why, says its box in a moment. */
static void
read_end(struct link *link)
{
	if (link->box == NULL || box_is_over(link->box)) {
		link_left(link);
		return;
	}
	event_del(link->readable);
	link->is_leaving = true;
	link_timer_set(link, LEAVING_MS);
}

/* What it wrote may still be unread. */
void
link_box_over(struct link *link)
{
	if (link->is_leaving) {
		link_left(link);
		return;
	}
	link->is_leaving = true;
	link_timer_set(link, LEAVING_MS);
}

void
link_hear(struct link *link, const char *raw_text, size_t len)
{
	link->is_reading = true;
	lines_line(link, raw_text, len);
	link->is_reading = false;
	if (link->is_dead)
		link_free(link);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char raw_bytes[READ_MAX];
	struct link *link = arg;

	(void)fd;
	(void)what;
	const ssize_t n = read(link->read_fd, raw_bytes, sizeof(raw_bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		read_end(link);
		return;
	}
	link->is_reading = true;
	const int r = mcp_lines_feed(
	    &link->lines, raw_bytes, (size_t)n, lines_line, link);
	if (r == MCP_E_MESSAGE_TOO_LONG)
		link_end(link, UPSTREAM_OVER_BROKEN, false,
		    "the server sent a message of more than %zu bytes "
		    "(result_bytes)",
		    link->lines.rest.limit);
	else if (r != 0 && r != MCP_E_STOPPED)
		link_end(link, UPSTREAM_OVER_BROKEN, false, "out of memory");
	link->is_reading = false;
	if (link->is_dead)
		link_free(link);
}

/* Whether all is out. Negative errno: the server is gone, which reading will
 * tell. */
static int
queue_send(struct link *link)
{
	struct chunk *chunk;

	while ((chunk = link->queue) != NULL) {
		const ssize_t n = write(link->write_fd,
		    chunk->bytes + chunk->done, chunk->len - chunk->done);
		if (n < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		if (chunk->call != NULL)
			chunk->call->is_written = true;
		chunk->done += (size_t)n;
		link->queued -= (size_t)n;
		if (chunk->done < chunk->len)
			continue;
		link->queue = chunk->next;
		free(chunk);
	}
	return 0;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	if (queue_send(link) == -EAGAIN)
		event_add(link->writable, NULL);
}

/* The last of the queue; or, for the first place, behind what is half out. */
static struct chunk **
place_find(struct link *link, bool first)
{
	struct chunk **at = &link->queue;

	if (first) {
		if (*at != NULL && (*at)->done > 0)
			at = &(*at)->next;
		return at;
	}
	while (*at != NULL)
		at = &(*at)->next;
	return at;
}

bool
link_write(struct link *link, const struct json_out *message,
    struct upstream_call *call, bool first)
{
	const size_t len = message->len + 1;

	/* One message may be longer than the queue, but nothing after it. */
	if (json_out_status(message) != 0 || link->is_dead)
		return false;
	if (link->remote != NULL)
		return remote_send(link->remote, message, call);
	if (link->write_fd < 0 ||
	    (link->queued > 0 && link->queued + len > LINK_QUEUE_MAX))
		return false;
	struct chunk *chunk = malloc(sizeof(*chunk) + len);
	if (chunk == NULL)
		return false;
	*chunk = (struct chunk){ .call = call, .len = len };
	/* White space between tokens must not end the line: inside strings
	 * JSON has no raw newlines. */
	for (size_t i = 0; i < message->len; i++)
		chunk->bytes[i] =
		    message->bytes[i] == '\n' || message->bytes[i] == '\r'
		    ? ' '
		    : message->bytes[i];
	chunk->bytes[len - 1] = '\n';
	struct chunk **place = place_find(link, first);
	chunk->next = *place;
	*place = chunk;
	link->queued += len;
	if (queue_send(link) == -EAGAIN)
		event_add(link->writable, NULL);
	return true;
}

bool
link_unwrite(struct link *link, const struct upstream_call *call)
{
	struct chunk **at = &link->queue;

	if (link->remote != NULL)
		return remote_unsend(link->remote, call);
	while (*at != NULL && (*at)->call != call)
		at = &(*at)->next;
	struct chunk *chunk = *at;
	if (chunk == NULL)
		return false;
	if (chunk->done > 0) {
		chunk->call = NULL;
		return false;
	}
	*at = chunk->next;
	link->queued -= chunk->len;
	free(chunk);
	return true;
}

/* The one call that is under way on it is the one that asks. */
static void
call_mark(const struct link *link, struct pool_mark *mark)
{
	const struct upstream_call *only = link->calls;

	if (only != NULL && only->next_on_link == NULL && !only->is_capture)
		behind_mark(only, mark);
}

bool
upstream_link_mark(
    const struct server *server, uint32_t number, struct pool_mark *mark)
{
	const struct link *link =
	    server->upstream != NULL ? server->upstream->links : NULL;

	while (link != NULL && link->number != number)
		link = link->next;
	if (link == NULL)
		return false;
	*mark = (struct pool_mark){ 0 };
	call_mark(link, mark);
	if (link->principal != NULL)
		mark->principal = link->principal->record.id;
	return true;
}

static int
descriptors_take(struct link *link, const struct pool_link *made)
{
	struct event_base *base = link->upstream->gateway->base;

	link->number = made->number;
	if (link->upstream->server->record.launch.kind == WIRE_KIND_REMOTE) {
		link->remote = remote_new(link, made->read_fd);
		return link->remote == NULL ? -ENOMEM : 0;
	}
	link->read_fd = made->read_fd;
	link->write_fd = made->write_fd;
	if (made->notes_fd >= 0) {
		link->box = box_new(link, made->stderr_fd, made->notes_fd);
		if (link->box == NULL)
			return -ENOMEM;
	}
	link->readable = event_new(
	    base, link->read_fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable =
	    event_new(base, link->write_fd, EV_WRITE, on_writable, link);
	if (link->readable == NULL || link->writable == NULL ||
	    event_add(link->readable, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static void
on_link(void *arg, const struct pool_link *made, const char *failure)
{
	struct link *link = arg;

	if (made == NULL)
		link_end(link, UPSTREAM_OVER_FAILED, false,
		    "the server cannot be reached: %s",
		    failure == NULL ? "no reason was given" : failure);
	else if (descriptors_take(link, made) != 0)
		link_end(link, UPSTREAM_OVER_FAILED, false, "out of memory");
	else
		lines_opened(link);
}
