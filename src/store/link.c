/* SPDX-License-Identifier: Apache-2.0
 *
 * The gateway's stream: frames in, each with its handler; frames out, buffered
 * to a bound. A gateway that breaks a rule is ended by the supervisor.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "json/json.h"
#include "store/admin.h"
#include "store/store.h"

#define READ_MAX 65536u
#define DRAIN_READS                                                            \
	64 /* of what a gateway that ended has left: more than a
			* socket holds */

struct link {
	int fd;
	struct event *readable;
	struct event *writable;
	struct evbuffer *out;
	struct frames in;
};

#define LINK_E_ENDED 2 /* the link is gone: touch nothing of it */

void
link_close(struct store *store)
{
	struct link *link = store->link;

	if (link == NULL)
		return;
	store->link = NULL;
	if (link->readable != NULL)
		event_free(link->readable);
	if (link->writable != NULL)
		event_free(link->writable);
	if (link->out != NULL)
		evbuffer_free(link->out);
	frames_fini(&link->in);
	close(link->fd);
	free(link);
}

void
link_breach(struct store *store, const char *what)
{
	const struct wire_message message = { .type = WIRE_BREACH,
		.text_len = (uint32_t)strlen(what) };

	if (store->link == NULL)
		return;
	store_log("error", "the gateway sent %s: it is ended", what);
	link_close(store);
	push_message(store, &message, NULL, 0, what);
}

/* ---- in -------------------------------------------------------------------
 */

static bool
is_string(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static int
breach(struct store *store, const char *what)
{
	link_breach(store, what);
	return LINK_E_ENDED;
}

static int
admin_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw_body)
{
	struct wire_admin admin;

	memcpy(&admin, raw_body, sizeof(admin));
	if (!is_string(admin.method, sizeof(admin.method)) ||
	    !is_string(admin.path, sizeof(admin.path)) ||
	    !is_string(admin.request, sizeof(admin.request)))
		return breach(store, "an admin request whose words do not end");
	admin_answer(store, head->reserved, &admin,
	    (const char *)raw_body + sizeof(admin), head->len - sizeof(admin));
	return 0;
}

static bool
is_object(const char *raw_text, size_t len)
{
	struct json_span value;

	return json_check(raw_text, len, &value, NULL) == 0 &&
	    json_kind_of(value) == JSON_KIND_OBJECT;
}

/* What was said to the store before this one may be there. */
static bool
audit_is_new(struct store *store, const struct wire_audit *audit)
{
	struct db_heard *heard = &store->audit.heard;
	const bool is_same =
	    memcmp(heard->boot, audit->boot, sizeof(heard->boot)) == 0;
	const bool is_new = !is_same || audit->sequence > heard->sequence;

	store->audit.is_heard = true;
	if (is_new) {
		memcpy(heard->boot, audit->boot, sizeof(heard->boot));
		heard->sequence = audit->sequence;
	} else {
		store_batch_begin(store); /* it waits to hear of it */
	}
	return is_new;
}

static int
audit_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw_body)
{
	struct wire_audit audit;
	const char *raw_detail = (const char *)raw_body + sizeof(audit);
	const size_t len = head->len - sizeof(audit);

	memcpy(&audit, raw_body, sizeof(audit));
	if (!is_string(audit.request, sizeof(audit.request)) ||
	    !is_string(audit.action, sizeof(audit.action)))
		return breach(store, "an audit record whose words do not end");
	if (len > 0 && !is_object(raw_detail, len))
		return breach(store, "an audit record that is no JSON object");
	if (audit.sequence == 0 || audit.sequence > INT64_MAX)
		return breach(store, "an audit record without a number");
	if (!audit_is_new(store, &audit))
		return 0;
	/* The tenant is ours to say: the gateway cannot write one's deeds into
	 * another's book. */
	struct wire_token token;
	if (audit.principal != 0 &&
	    db_token_get(store->db, audit.principal, &token) == 0)
		audit.tenant = token.tenant;
	audit_append(store,
	    &(struct audit_entry){ .principal = audit.principal,
		.tenant = audit.tenant,
		.request = audit.request,
		.action = audit.action,
		.detail = len > 0 ? raw_detail : NULL,
		.detail_len = len });
	return store->link == NULL ? LINK_E_ENDED : 0;
}

static int
ended_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw_body)
{
	struct wire_ended ended;

	(void)head;
	memcpy(&ended, raw_body, sizeof(ended));
	if (ended.until > INT64_MAX)
		return breach(store, "an ended session that never expires");
	store_batch_begin(store);
	if (db_begin(store->db) != 0 || db_ended_put(store->db, &ended) != 0)
		store_log("error", "an ended session cannot be kept");
	return 0;
}

static int
surface_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw_body)
{
	struct db_server server;

	if (!is_object((const char *)raw_body, head->len))
		return breach(store, "a surface that is no JSON object");
	/* Removed in the meantime: nothing to keep it by. */
	const int code = db_server_get(store->db, head->reserved, &server);
	if (code == DB_E_NONE)
		return 0;
	store_batch_begin(store);
	if (code != 0 || db_begin(store->db) != 0 ||
	    db_surface_put(store->db, server.record.id, server.digest,
		(const char *)raw_body, head->len) != 0)
		store_log("error", "a surface cannot be kept");
	return 0;
}

static int
on_frame(void *arg, const struct wire_frame *head, const uint8_t *raw_body)
{
	static int (*const takers[WIRE_STORE_N_FRAMES])(
	    struct store *, const struct wire_frame *, const uint8_t *) = {
		[WIRE_STORE_ADMIN] = admin_take,
		[WIRE_STORE_AUDIT] = audit_take,
		[WIRE_STORE_ENDED] = ended_take,
		[WIRE_STORE_SURFACE] = surface_take,
	};

	struct store *store = arg;
	const int code = takers[head->type](store, head, raw_body);
	/* What it led to may have ended the link: a queue that is full. */
	return code == 0 && store->link == NULL ? LINK_E_ENDED : code;
}

/* Whether there may be more. */
static bool
link_read(struct store *store)
{
	static uint8_t bytes[READ_MAX];
	const char *complaint = NULL;

	const ssize_t n = recv(store->link->fd, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		link_close(store);
		return false;
	}
	const int code = frames_feed(
	    &store->link->in, bytes, (size_t)n, on_frame, store, &complaint);
	if (code == FRAMES_E_BREACH)
		link_breach(store, complaint);
	else if (code < 0)
		link_breach(store, "more than there is memory for");
	return store->link != NULL;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_read(arg);
}

/* What one that is gone had still said counts. */
static void
link_drain(struct store *store)
{
	for (int i = 0; i < DRAIN_READS && store->link != NULL; i++)
		if (!link_read(store))
			break;
	link_close(store);
}

/* ---- out ------------------------------------------------------------------
 */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;
	struct link *link = store->link;

	(void)what;
	const int n = evbuffer_write(link->out, fd);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		store_log("warn", "the gateway is gone: %s", strerror(errno));
		link_drain(store);
		return;
	}
	if (evbuffer_get_length(link->out) > 0)
		event_add(link->writable, NULL);
}

void
link_send(struct store *store, const struct wire_frame *head, const void *bytes,
    const void *more, size_t more_len)
{
	struct link *link = store->link;

	if (link == NULL)
		return;
	if (evbuffer_add(link->out, head, sizeof(*head)) != 0 ||
	    evbuffer_add(link->out, bytes, head->len - more_len) != 0 ||
	    (more_len > 0 && evbuffer_add(link->out, more, more_len) != 0) ||
	    event_add(link->writable, NULL) != 0) {
		link_breach(store, "more questions than there is memory for");
		return;
	}
	if (evbuffer_get_length(link->out) > STORE_LINK_OUT_MAX)
		link_breach(store, "questions, but does not read the answers");
}

void
link_kept(struct store *store)
{
	const struct db_heard *heard = &store->audit.heard;
	const struct wire_frame head = { .type = WIRE_STORE_KEPT,
		.len = sizeof(struct wire_kept) };
	struct wire_kept kept = { .sequence = heard->sequence };

	memcpy(kept.boot, heard->boot, sizeof(kept.boot));
	link_send(store, &head, &kept, NULL, 0);
}

void
link_open(struct store *store, int fd)
{
	link_drain(store);
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL) {
		close(fd);
		return;
	}
	store->link = link;
	store->n_links++;
	link->fd = fd;
	evutil_make_socket_nonblocking(fd);
	link->readable = event_new(
	    store->base, fd, EV_READ | EV_PERSIST, on_readable, store);
	link->writable =
	    event_new(store->base, fd, EV_WRITE, on_writable, store);
	link->out = evbuffer_new();
	if (link->readable == NULL || link->writable == NULL ||
	    link->out == NULL || event_add(link->readable, NULL) != 0) {
		store_log("error", "no memory for the gateway's link");
		link_close(store);
		return;
	}
	if (push_snapshot(store) != 0) {
		store_log("error", "the registry cannot be read");
		link_close(store);
	}
}
