/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/egress/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "gateway/behind/upstream.h"
#include "gateway/log.h"
#include "json/out.h"
#include "wire/wire.h"

#define READS_MAX 16 /* in one turn: others wait, too */
#define SECOND 1u
#define MINUTE 60u

struct egress_watch {
	struct gateway *gateway;
	int fd; /* -1: egress is away, or was never there */
	struct event *readable;
	struct egress_kept *kept;
	struct egress_counts counts;
	size_t len; /* of the frame that comes in */
	struct {
		struct wire_frame head;
		struct wire_egress_event event;
	} in;
};

/* ---- what is done with an event --------------------------------------------
 */

static struct server_egress *
egress_of(struct server *server)
{
	if (server->egress == NULL)
		server->egress = calloc(1, sizeof(*server->egress));
	return server->egress;
}

/* False: it is one too many in this window. A window that begins tells how many
 * the one before left out. */
static bool
bound_take(struct egress_bound *bound, uint32_t seconds, uint32_t most,
    uint32_t *left_out)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	const uint64_t window = (uint64_t)now.tv_sec / seconds;

	if (bound->window != window) {
		bound->window = window;
		bound->n = 0;
	}
	if (bound->n == most) {
		bound->left_out++;
		return false;
	}
	bound->n++;
	*left_out = bound->left_out;
	bound->left_out = 0;
	return true;
}

static void
event_count(struct server_egress *egress, const struct wire_egress_event *event)
{
	uint64_t *counts =
	    event->scheme == 0 ? egress->n_names : egress->n_requests;

	counts[event->end]++;
	egress->n_refused += event->refused;
	egress->bytes_in += event->bytes_in;
	egress->bytes_out += event->bytes_out;
}

static void
event_log(const struct egress_told *told)
{
	const struct wire_egress_event *event = &told->event;
	struct server *server = told->server;
	uint32_t left_out = 0;
	char text[1024];

	if (!bound_take(
		&server->egress->log, SECOND, EGRESS_LOG_LINES_S, &left_out))
		return;
	if (left_out > 0) {
		const int len = snprintf(text, sizeof(text),
		    "egress: %u lines before this are left out", left_out);
		server_log(server, LOG_WARN, 0, text, (size_t)len);
	}
	egress_text_write(told, text, sizeof(text));
	server_log(server,
	    event->refused                     ? LOG_WARN
		: event->end == WIRE_EGRESS_OK ? LOG_DEBUG
					       : LOG_INFO,
	    told->mark.request, text, strlen(text));
}

/* What somebody tried, and was not let. */
static void
event_audit(struct gateway *gateway, const struct egress_told *told)
{
	uint32_t left_out = 0;
	struct json_out out;

	if (!told->event.refused ||
	    !bound_take(&told->server->egress->audit, MINUTE,
		EGRESS_AUDIT_MINUTE, &left_out))
		return;
	json_out_init(&out, EGRESS_LINE_MAX);
	egress_audit_write(&out, told, left_out);
	if (json_out_status(&out) == 0)
		registry_audit_server(gateway, told->server, told->principal,
		    told->mark.request, "egress/refused", out.bytes, out.len);
	json_out_fini(&out);
}

static void
event_keep(struct egress_watch *watch, const struct egress_told *told)
{
	struct json_out out;

	json_out_init(&out, EGRESS_LINE_MAX);
	egress_line_write(&out, told);
	if (json_out_status(&out) == 0)
		egress_keep(watch->kept, told, out.bytes, out.len);
	json_out_fini(&out);
}

/* Whose it was, as far as anybody knows by now. */
static void
whose_find(struct gateway *gateway, struct egress_told *told)
{
	const struct wire_egress_event *event = &told->event;
	bool is_known = false;

	told->server = event->deployment < WIRE_DEPLOYMENTS_MAX
	    ? registry_server_by_id(gateway, event->deployment)
	    : NULL;
	if (event->unit == WIRE_UNIT_CELL)
		is_known = pool_mark_find(gateway->pool, event->deployment,
		    event->number, &told->mark);
	else if (event->unit == WIRE_UNIT_LINK && told->server != NULL)
		is_known = upstream_link_mark(
		    told->server, event->number, &told->mark);
	if (is_known && told->mark.principal != 0)
		told->principal =
		    registry_principal_by_id(gateway, told->mark.principal);
}

static bool
is_string(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static bool
event_is_good(const struct wire_egress_event *event)
{
	return event->end < WIRE_EGRESS_N_ENDS &&
	    is_string(event->method, sizeof(event->method)) &&
	    is_string(event->host, sizeof(event->host)) &&
	    is_string(event->path, sizeof(event->path)) &&
	    is_string(event->text, sizeof(event->text));
}

static void
event_take(struct egress_watch *watch, const struct wire_egress_event *event)
{
	struct egress_told told = { .event = *event };

	watch->counts.lost += event->lost;
	whose_find(watch->gateway, &told);
	if (told.server != NULL && egress_of(told.server) != NULL) {
		event_count(told.server->egress, event);
		event_log(&told);
		event_audit(watch->gateway, &told);
	}
	event_keep(watch, &told);
}

/* ---- the stream ------------------------------------------------------------
 */

static void
watch_close(struct egress_watch *watch)
{
	if (watch->readable != NULL)
		event_free(watch->readable);
	watch->readable = NULL;
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
	watch->len = 0;
}

/* Whether a whole event is there; false, too, where it is none. */
static bool
frame_is_whole(struct egress_watch *watch, bool *is_broken)
{
	const struct wire_frame *head = &watch->in.head;

	if (watch->len < sizeof(*head))
		return false;
	*is_broken = head->type != WIRE_EGRESS_EVENT ||
	    head->len != sizeof(watch->in.event);
	if (*is_broken || watch->len < sizeof(watch->in))
		return false;
	*is_broken = !event_is_good(&watch->in.event);
	return !*is_broken;
}

/* False: nothing more for now, or for ever. */
static bool
watch_read(struct egress_watch *watch)
{
	const size_t wanted = watch->len < sizeof(watch->in.head)
	    ? sizeof(watch->in.head)
	    : sizeof(watch->in);
	bool is_broken = false;

	const ssize_t n = recv(watch->fd, (char *)&watch->in + watch->len,
	    wanted - watch->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		log_line(LOG_WARN, 0,
		    "egress is gone: until it is back nothing goes out");
		watch_close(watch);
		return false;
	}
	watch->len += (size_t)n;
	if (frame_is_whole(watch, &is_broken)) {
		watch->len = 0;
		event_take(watch, &watch->in.event);
	} else if (is_broken) {
		log_line(LOG_ERROR, 0, "egress says nonsense: it is not heard");
		watch_close(watch);
		return false;
	}
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct egress_watch *watch = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < 2 * READS_MAX; i++)
		if (!watch_read(watch))
			return;
}

void
egress_connect(struct gateway *gateway, int fd)
{
	struct egress_watch *watch = gateway->egress;

	watch_close(watch);
	watch->fd = fd;
	watch->counts.connects++;
	watch->readable = event_new(
	    gateway->base, fd, EV_READ | EV_PERSIST, on_readable, watch);
	if (watch->readable != NULL && event_add(watch->readable, NULL) == 0)
		return;
	log_line(LOG_ERROR, 0, "no memory to hear egress");
	watch_close(watch);
}

int
egress_watch_start(struct gateway *gateway)
{
	struct egress_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL || (watch->kept = egress_kept_new()) == NULL) {
		free(watch);
		return -ENOMEM;
	}
	watch->gateway = gateway;
	watch->fd = -1;
	gateway->egress = watch;
	return 0;
}

void
egress_watch_stop(struct gateway *gateway)
{
	if (gateway->egress == NULL)
		return;
	watch_close(gateway->egress);
	egress_kept_free(gateway->egress->kept);
	free(gateway->egress);
	gateway->egress = NULL;
}

void
egress_watch_drain(struct gateway *gateway)
{
	egress_kept_drain(gateway->egress->kept);
}

void
egress_admin_log(const struct visit *visit, const struct egress_wanted *wanted)
{
	egress_log_answer(visit, visit->gateway->egress->kept, wanted);
}

void
egress_counts_get(const struct gateway *gateway, struct egress_counts *counts)
{
	*counts = gateway->egress->counts;
	counts->is_here = gateway->egress->fd >= 0;
}
