/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Descriptors to servers: who shares one, how many there are, when one is
 * opened again. Bytes go out as far as the server reads; what it does not read
 * is queued up to a bound.
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

#define START_MS 30000
#define SHORT_MS 10000 /* a life shorter than that, without an answer */
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 30000
#define READ_MAX 65536

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
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
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

/* Whose link a client's calls go by. */
struct owner {
	struct principal *principal;
	const uint8_t *session;
	uint32_t can;
};

static struct owner
owner_of(const struct upstream *upstream, const struct client *client)
{
	const uint32_t share = upstream->server->record.launch.share;
	struct owner owner = { .can = client->can };

	/* A modern server is told with each request what can be asked. */
	if (upstream->verdict == VERDICT_MODERN)
		owner.can = 0;
	if (share != WIRE_SHARE_ALL)
		owner.principal = client->principal;
	if (share == WIRE_SHARE_SESSION)
		owner.session = client->session;
	return owner;
}

static bool
is_owned(const struct link *link, const struct owner *owner)
{
	if (link->principal != owner->principal || link->can != owner->can ||
	    link->has_session != (owner->session != NULL))
		return false;
	return !link->has_session ||
	    memcmp(link->session, owner->session, sizeof(link->session)) == 0;
}

struct link *
link_find(struct upstream *upstream, const struct client *client)
{
	const struct owner owner = owner_of(upstream, client);

	for (struct link *link = upstream->links; link != NULL;
	     link = link->next)
		if (is_owned(link, &owner))
			return link;
	return NULL;
}

/* The longest idle of this principal (NULL: of all), and how many there are. */
static struct link *
idle_find(const struct upstream *upstream, const struct principal *principal,
    unsigned *n)
{
	struct link *idle = NULL;

	*n = 0;
	for (struct link *link = upstream->links; link != NULL;
	     link = link->next) {
		if (principal != NULL && link->principal != principal)
			continue;
		(*n)++;
		if (link->calls == NULL && !link->greets &&
		    link->stage == LINK_READY &&
		    (idle == NULL || link->used_ms < idle->used_ms))
			idle = link;
	}
	return idle;
}

static bool
room_make(struct upstream *upstream, const struct principal *principal,
    unsigned max, char why[256])
{
	unsigned n;
	struct link *idle = idle_find(upstream, principal, &n);

	if (n < max)
		return true;
	if (idle == NULL) {
		snprintf(why, 256,
		    "the server has %u links, all in use: try again later", n);
		return false;
	}
	link_end(idle, false, "its place was needed");
	return true;
}

static bool
may_open(struct upstream *upstream, const struct owner *owner, char why[256])
{
	const uint64_t now = behind_now_ms();

	if (now < upstream->not_before_ms) {
		snprintf(why, 256,
		    "the server ended %u times soon after its start; it is "
		    "tried again in %llu s",
		    upstream->n_short,
		    (unsigned long long)(upstream->not_before_ms - now) / 1000 +
			1);
		return false;
	}
	if (owner->principal != NULL &&
	    !room_make(upstream, owner->principal, LINKS_PRINCIPAL_MAX, why))
		return false;
	return room_make(upstream, NULL, LINKS_MAX, why);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lines_timer(arg);
}

static void on_link(void *arg, int fd, const char *failure);

static struct link *
link_new(struct upstream *upstream, const struct owner *owner)
{
	const uint64_t result_bytes =
	    upstream->server->record.launch.limits.result_bytes;
	struct link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	*link = (struct link){ .upstream = upstream,
		.can = owner->can,
		.has_session = owner->session != NULL,
		.fd = -1,
		.opened_ms = behind_now_ms(),
		.used_ms = behind_now_ms() };
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

static struct link *
link_open(struct upstream *upstream, const struct owner *owner, char why[256])
{
	if (!may_open(upstream, owner, why))
		return NULL;
	struct link *link = link_new(upstream, owner);
	if (link == NULL ||
	    pool_link_open(upstream->gateway->pool, upstream->server->record.id,
		on_link, link) != 0) {
		if (link != NULL)
			link_free(link);
		snprintf(why, 256, "out of memory");
		return NULL;
	}
	link_timer_set(link, START_MS);
	link->next = upstream->links;
	upstream->links = link;
	upstream->n_links++;
	return link;
}

struct link *
link_get(struct upstream *upstream, const struct client *client, char why[256])
{
	const struct owner owner = owner_of(upstream, client);
	struct link *link = link_find(upstream, client);

	return link != NULL ? link : link_open(upstream, &owner, why);
}

/* Somebody still wants to hear of resources: at once on a link of its own. */
static void
subscriptions_bequeath(struct link *link)
{
	const struct owner owner = { link->principal,
		link->has_session ? link->session : NULL, link->can };
	char why[256];

	if (link->uris == NULL)
		return;
	struct link *heir = link_open(link->upstream, &owner, why);
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
	link->stage = LINK_OPENING;
	if (pool_link_open(upstream->gateway->pool, upstream->server->record.id,
		on_link, link) != 0)
		link_end(link, false, "out of memory");
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

/* The more lives were short, the longer nobody tries. */
static void
life_weigh(const struct link *link)
{
	struct upstream *upstream = link->upstream;
	const uint64_t now = behind_now_ms();
	uint64_t pause = PAUSE_MIN_MS;

	if (link->n_answers > 0 || now - link->opened_ms >= SHORT_MS) {
		upstream->n_short = 0;
		return;
	}
	for (unsigned i = 0; i < upstream->n_short && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	/* Once may be chance: the next call tries at once. */
	if (upstream->n_short++ > 0)
		upstream->not_before_ms =
		    now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
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
link_end(struct link *link, bool again, const char *format, ...)
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
	life_weigh(link);
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

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char raw_bytes[READ_MAX];
	struct link *link = arg;

	(void)fd;
	(void)what;
	const ssize_t n =
	    recv(link->fd, raw_bytes, sizeof(raw_bytes), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (lines_left(link))
			link_reopen(link);
		else
			link_end(link, true,
			    "the server ended in the middle of the call");
		return;
	}
	link->is_reading = true;
	const int r = mcp_lines_feed(
	    &link->lines, raw_bytes, (size_t)n, lines_line, link);
	if (r == MCP_E_MESSAGE_TOO_LONG)
		link_end(link, false,
		    "the server sent a message of more than %zu bytes "
		    "(result_bytes)",
		    link->lines.rest.limit);
	else if (r != 0 && r != MCP_E_STOPPED)
		link_end(link, false, "out of memory");
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
		const ssize_t n = send(link->fd, chunk->bytes + chunk->done,
		    chunk->len - chunk->done, MSG_DONTWAIT | MSG_NOSIGNAL);
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
	if (json_out_status(message) != 0 || link->fd < 0 || link->is_dead ||
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

static int
descriptor_take(struct link *link, int fd)
{
	struct event_base *base = link->upstream->gateway->base;

	link->fd = fd;
	link->readable =
	    event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = event_new(base, fd, EV_WRITE, on_writable, link);
	if (link->readable == NULL || link->writable == NULL ||
	    event_add(link->readable, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static void
on_link(void *arg, int fd, const char *failure)
{
	struct link *link = arg;

	if (fd < 0)
		link_end(link, false, "the server cannot be reached: %s",
		    failure == NULL ? "no reason was given" : failure);
	else if (descriptor_take(link, fd) != 0)
		link_end(link, false, "out of memory");
	else
		lines_opened(link);
}
