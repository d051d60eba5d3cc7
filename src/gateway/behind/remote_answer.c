/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes back from a remote server: heads, bodies and streams become lines
 * of the link, or the reason why there is none.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/behind/remote_impl.h"
#include "gateway/log.h"

#define LINGER_MS 1000 /* of a stream whose answer has come */
#define AGAIN_MIN_MS 100
#define AGAIN_MS 1000
#define AGAIN_MAX_MS 60000
#define RESUMES_MAX 10 /* in vain */

/* ---- what the link hears -------------------------------------------------- */

/* False: nothing more may be done with the post. */
static bool
hear(struct post *post, const char *raw_text, size_t len)
{
	struct remote *remote = post->remote;

	if (remote->link == NULL || post->is_dropped)
		return false;
	post->tries = 0;
	remote->link->answered_id = 0;
	remote->link->speaker_id = post->kind == POST_REQUEST ? post->id : 0;
	link_hear(remote->link, raw_text, len);
	if (remote->link == NULL)
		return false;
	remote->link->speaker_id = 0;
	if (post->id != 0 && remote->link->answered_id == post->id)
		post->is_answered = true;
	return !post->is_dropped;
}

/* {"jsonrpc","id","error"}: the error object, or one with this text. */
static void
error_tell(struct post *post, struct json_span error, const char *text)
{
	struct json_out out;

	if (post->id == 0 || post->is_answered)
		return;
	lines_message_open(&out, BEHIND_TEXT_MAX);
	json_out_text(&out, ",\"id\":");
	json_out_uint(&out, post->id);
	json_out_text(&out, ",\"error\":");
	if (error.at != NULL)
		json_out_span(&out, error);
	else
		behind_error_write(&out, MCP_INTERNAL_ERROR, text);
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0)
		hear(post, out.bytes, out.len);
	json_out_fini(&out);
}

static void refuse(struct post *post, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
refuse(struct post *post, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_line(LOG_DEBUG, 0, "server %s: %s: %s", post->remote->server->name,
	    post->method, text);
	error_tell(post, (struct json_span){ 0 }, text);
}

/* ---- heads ---------------------------------------------------------------- */

/* Visible ASCII (2025-03-26, Streamable HTTP): it becomes a header of ours. */
static bool
session_is_good(const char *raw_session)
{
	const size_t len = strnlen(raw_session, REMOTE_SESSION_MAX);

	if (len == 0 || len == REMOTE_SESSION_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (raw_session[i] <= ' ' || raw_session[i] > '~')
			return false;
	return true;
}

static void
session_take(struct post *post, const char *headers, size_t len)
{
	struct remote *remote = post->remote;
	const char *raw = fetching_header(headers, len, "mcp-session-id");

	if (raw == NULL || remote->is_old ||
	    strcmp(post->method, "initialize") != 0)
		return;
	if (session_is_good(raw))
		strcpy(remote->session, raw);
	else
		post->fault = "the server's Mcp-Session-Id is empty, over "
			      "1024 bytes or not visible ASCII";
}

static bool
is_same_origin(const struct addr_url *a, const struct addr_url *b)
{
	return a->scheme == b->scheme && a->port == b->port &&
	    strcmp(a->host.text, b->host.text) == 0;
}

/* Of the same origin, what a URL that the server names leads to: owned. NULL:
 * elsewhere, or nowhere. */
static char *
place_follow(const struct remote *remote, const char *raw_place, size_t len)
{
	struct addr_url base, url;

	if (addr_url_parse(remote->url, strlen(remote->url), &base, NULL) !=
		0 ||
	    addr_url_follow(&base, raw_place, len, &url, NULL) != 0 ||
	    !is_same_origin(&base, &url))
		return NULL;
	return strdup(url.text);
}

/* 307 and 308 keep method and body; what others mean for a POST, nobody
 * knows. */
static void
location_take(struct post *post, const char *headers, size_t len)
{
	const char *raw = fetching_header(headers, len, "location");

	if (post->status / 100 != 3)
		return;
	post->fault =
	    "the server redirects to another place: add it with the URL where "
	    "it is";
	if (raw != NULL && !post->has_moved &&
	    (post->status == 307 || post->status == 308))
		post->moved_url = place_follow(post->remote, raw, strlen(raw));
	if (post->moved_url != NULL)
		post->fault = NULL;
}

static bool
is_event_stream(const char *type)
{
	return type != NULL && strncasecmp(type, "text/event-stream", 17) == 0;
}

static void
on_head(void *arg, unsigned status, const char *url, const char *headers,
    size_t len)
{
	struct post *post = arg;
	const char *type = fetching_header(headers, len, "content-type");
	const char *coding = fetching_header(headers, len, "content-encoding");

	(void)url;
	post->status = status;
	post->is_events = status / 100 == 2 && is_event_stream(type);
	if (coding != NULL && strcasecmp(coding, "identity") != 0)
		post->fault = "the server compressed its answer, though it "
			      "was asked not to";
	if (status / 100 == 2)
		session_take(post, headers, len);
	location_take(post, headers, len);
	post_challenge_take(post, headers, len);
	/* While it was away, changes may have been missed. */
	if (post->is_events && post->was_open && post->events.id[0] == '\0' &&
	    post->remote->link != NULL &&
	    post->remote->link->upstream->surface != NULL)
		lines_lists_ask_again(post->remote->link);
	if (post->is_events)
		post->was_open =
		    post->kind == POST_LISTEN || post->kind == POST_STREAM;
}

/* ---- bodies --------------------------------------------------------------- */

/* HTTP+SSE: where messages are to be POSTed. */
static bool
endpoint_take(struct post *post, const char *raw_place, size_t len)
{
	struct remote *remote = post->remote;

	if (remote->endpoint != NULL)
		return true;
	remote->endpoint = place_follow(remote, raw_place, len);
	if (remote->endpoint == NULL) {
		if (remote->link != NULL)
			link_end(remote->link, UPSTREAM_OVER_BROKEN, false,
			    "the server's event stream names an endpoint that "
			    "is of another origin, or no URL");
		return false;
	}
	if (remote->link != NULL)
		remote->link->upstream->is_event_stream = true;
	remote_waiting_start(remote);
	return true;
}

/* The one before has done its part. */
static void
replaced_drop(struct post *post)
{
	struct post *other = post->remote->posts, *next;

	for (; other != NULL; other = next) {
		next = other->next;
		if (other->is_replaced && other != post)
			post_drop(other);
	}
}

static bool
on_event(void *arg, const char *raw_text, size_t len)
{
	struct post *post = arg;
	const char *name = post->events.name;

	if (post->remote->is_old && strcmp(name, "endpoint") == 0)
		return endpoint_take(post, raw_text, len);
	if (name[0] != '\0' && strcmp(name, "message") != 0)
		return true;
	if (post->kind == POST_LISTEN) {
		replaced_drop(post);
		post_barrier_end(post);
	}
	return hear(post, raw_text, len);
}

static void
events_take(struct post *post, const char *raw_bytes, size_t len)
{
	const int r =
	    mcp_events_feed(&post->events, raw_bytes, len, on_event, post);

	if (r == MCP_E_MESSAGE_TOO_LONG)
		post->fault = "the server sent a message that is longer "
			      "than a result may be (result_bytes)";
	else if (r != 0 && r != MCP_E_STOPPED)
		post->fault = "out of memory";
	if (post->is_answered && !post->is_dropped)
		post_timer_set(post, LINGER_MS);
}

static bool fault_tell(struct post *post);

static void
on_data(void *arg, const char *raw_bytes, size_t len)
{
	struct post *post = arg;

	if (post->fault != NULL || post->moved_url != NULL)
		return;
	post->is_busy = true;
	if (post->is_events)
		events_take(post, raw_bytes, len);
	else if (post->body.len + len <= post->body.limit)
		json_out_raw(&post->body, raw_bytes, len);
	else
		post->fault = "the server's answer is longer than a result "
			      "may be (result_bytes)";
	/* The rest is of no interest. */
	if (post->fault != NULL && fault_tell(post))
		post->is_dropped = true;
	post->is_busy = false;
	if (post->is_dropped)
		post_free(post);
}

/* ---- the end of a try ----------------------------------------------------- */

static bool
has_begun(const struct remote *remote)
{
	return remote->link->stage >= LINK_READY;
}

/* What the greeting cannot do without. */
static void
end(struct post *post, const char *text)
{
	struct link *link = post->remote->link;

	link->upstream->verdict = VERDICT_NONE;
	link->upstream->is_event_stream = false;
	link_end(link,
	    post_is_refused(post) ? UPSTREAM_OVER_REFUSED
				  : UPSTREAM_OVER_FAILED,
	    false, "%s", text);
}

/* What went wrong for good; true: the post is over. */
static bool
fault_tell(struct post *post)
{
	if (post->remote->link == NULL)
		return true;
	if (post->kind == POST_REQUEST && !has_begun(post->remote))
		end(post, post->fault);
	else if (post->remote->is_old && post->kind == POST_STREAM)
		link_end(post->remote->link, UPSTREAM_OVER_BROKEN, false, "%s",
		    post->fault);
	else
		refuse(post, "%s", post->fault);
	return true;
}

static bool
again_after(struct post *post)
{
	uint64_t ms =
	    post->events.retry_ms > 0 ? post->events.retry_ms : AGAIN_MS;

	for (unsigned i = 0; i < post->tries && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	post->tries++;
	if (ms < AGAIN_MIN_MS)
		ms = AGAIN_MIN_MS;
	post_timer_set(post, ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS);
	return false;
}

/* The error of a body, of whatever id; empty: it has none. */
static struct json_span
body_error(const struct post *post)
{
	struct json_want error = { .name = "error" };
	struct json_want parts[] = { { .name = "code" },
		{ .name = "message" } };
	struct json_span whole;

	if (post->body.len == 0 ||
	    json_check(post->body.bytes, post->body.len, &whole, NULL) != 0 ||
	    json_members_find(whole, &error, 1) != 0 ||
	    json_members_find(error.value, parts, ARRAY_LEN(parts)) != 0 ||
	    !json_value_is_integer(parts[0].value) ||
	    json_kind_of(parts[1].value) != JSON_KIND_STRING)
		return (struct json_span){ 0 };
	return error.value;
}

/* What says nothing of how a server is to be spoken to. */
static bool
is_no_evidence(unsigned status)
{
	return status == 401 || status == 403 || status == 407 ||
	    status == 408 || status == 429 || status >= 500;
}

bool
remote_stream_open(struct remote *remote)
{
	struct post *stream = post_new(remote, POST_STREAM);

	if (stream == NULL)
		return false;
	post_waits_set(stream, true);
	if (post_start(stream) == 0)
		return true;
	post_drop(stream);
	return false;
}

/* initialize cannot be POSTed there: as it was done in 2024. */
static bool
old_try(struct post *post)
{
	struct remote *remote = post->remote;

	remote->refused = post->status;
	remote->is_old = true;
	post_waits_set(post, true);
	if (remote_stream_open(remote))
		return false;
	end(post, "out of memory");
	return true;
}

static void
session_lost(struct post *post)
{
	struct link *link = post->remote->link;

	/* It was not done, so it may be done anew. */
	for (struct upstream_call *call = link->calls; call != NULL;
	     call = call->next_on_link)
		if (call->id == post->id)
			call->is_written = false;
	post->remote->session[0] = '\0'; /* there is nothing to end */
	link_end(link, UPSTREAM_OVER_LEFT, true,
	    "the server has ended its session in the middle of the call");
}

static bool
status_over(struct post *post)
{
	struct remote *remote = post->remote;
	const unsigned status = post->status;
	const bool is_greeting = !has_begun(remote);
	const struct json_span error = body_error(post);
	char text[512];

	if (status == 404 && remote->session[0] != '\0') {
		session_lost(post);
		return true;
	}
	post_status_text(post, text);
	if (is_greeting && is_no_evidence(status))
		end(post, text);
	else if (is_greeting && !remote->is_old &&
	    strcmp(post->method, "initialize") == 0 &&
	    (error.at == NULL || status == 404 || status == 405))
		return old_try(post);
	else if (post_is_refused(post)) /* the way in is not in its words */
		error_tell(post, (struct json_span){ 0 }, text);
	else
		error_tell(post, error, text);
	return true;
}

static bool
request_over(struct post *post, enum wire_egress_end why, const char *text)
{
	struct remote *remote = post->remote;
	const bool is_cut = why != WIRE_EGRESS_OK;

	if (post->status == 0 && !has_begun(remote)) {
		char sentence[256];
		snprintf(sentence, sizeof(sentence),
		    "the server cannot be reached: %.200s", text);
		end(post, sentence);
	} else if (post->status == 0 && !post->is_resumed) {
		refuse(post, "the server cannot be reached: %.400s", text);
	} else if (post->is_events || post->status == 0) {
		if (post->era == MCP_LEGACY && !remote->is_old &&
		    post->events.id[0] != '\0' && post->tries < RESUMES_MAX) {
			post->is_resumed = true;
			return again_after(post);
		}
		refuse(post,
		    "the server's stream ended before its answer%s%.400s",
		    is_cut ? ": " : "", text);
	} else if (post->status / 100 != 2) {
		return status_over(post);
	} else if (is_cut) {
		refuse(post, "the server's answer broke off: %.400s", text);
	} else if (!remote->is_old) { /* there, it comes by the stream */
		if (post->body.len > 0 &&
		    !hear(post, post->body.bytes, post->body.len))
			return true;
		if (post->is_answered)
			return true;
		refuse(post,
		    "the server answered HTTP %u without a "
		    "response",
		    post->status);
	}
	return true;
}

static bool
notice_over(struct post *post, enum wire_egress_end why, const char *text)
{
	struct remote *remote = post->remote;
	struct post *target = post_find(remote, post->cancels);
	const bool is_done = post->status / 100 == 2;

	if (target != NULL)
		post_drop(target);
	if (post->status == 404 && remote->session[0] != '\0')
		session_lost(post);
	else if (!is_done)
		log_line(LOG_DEBUG, 0, "server %s does not take %s: HTTP %u %s",
		    remote->server->name,
		    post->method[0] == '\0' ? "an answer" : post->method,
		    post->status, why == WIRE_EGRESS_OK ? "" : text);
	else if (!remote->is_old &&
	    strcmp(post->method, "notifications/initialized") == 0)
		remote_stream_open(remote);
	return true;
}

static bool
old_stream_over(struct post *post, const char *text)
{
	struct remote *remote = post->remote;
	char sentence[256];

	if (remote->endpoint != NULL) {
		link_end(remote->link, UPSTREAM_OVER_LEFT, true,
		    "the server's event stream ended in the middle of the "
		    "call");
		return true;
	}
	if (remote->refused == 0)
		snprintf(sentence, sizeof(sentence),
		    "the server's event stream is no more: HTTP %u %.100s",
		    post->status, text);
	else
		snprintf(sentence, sizeof(sentence),
		    "the server answered HTTP %u to initialize, and has no "
		    "event stream at that URL either (HTTP %u%s%.100s)",
		    remote->refused, post->status, text[0] == '\0' ? "" : "; ",
		    text);
	end(post, sentence);
	return true;
}

/* A token that has just expired is about to be renewed, so 401 is for now. */
static bool
is_worth_again(const struct post *post)
{
	const unsigned status = post->status;

	if (status == 401)
		return post->tries < RESUMES_MAX;
	return post->is_events || status == 0 ||
	    (is_no_evidence(status) && status != 403);
}

static bool
stream_over(struct post *post, enum wire_egress_end why, const char *text)
{
	(void)why;
	if (post->remote->is_old)
		return old_stream_over(post, text);
	if (is_worth_again(post))
		return again_after(post);
	return true; /* 405: it has nothing to say unasked */
}

static bool
listen_over(struct post *post, enum wire_egress_end why, const char *text)
{
	const unsigned status = post->status;

	(void)why;
	(void)text;
	if (is_worth_again(post))
		return again_after(post);
	if (status / 100 == 2 && post->body.len > 0)
		hear(post, post->body.bytes, post->body.len);
	if (!post->is_dropped)
		refuse(post, "the server answered HTTP %u", status);
	return true;
}

static bool
move_over(struct post *post)
{
	struct remote *remote = post->remote;
	char **place =
	    post_http_method(post)[0] == 'P' && remote->endpoint != NULL
	    ? &remote->endpoint
	    : &remote->url;

	post->has_moved = true;
	free(*place);
	*place = steal_ptr(&post->moved_url);
	if (post_start(post) == 0)
		return false;
	refuse(post, "out of memory");
	return true;
}

static bool
end_over(struct post *post, enum wire_egress_end why, const char *text)
{
	(void)post;
	(void)why;
	(void)text;
	return true;
}

/* By enum post_kind. True: there is nothing more to it. */
static bool (*const overs[])(
    struct post *, enum wire_egress_end, const char *) = {
	[POST_REQUEST] = request_over,
	[POST_NOTICE] = notice_over,
	[POST_LISTEN] = listen_over,
	[POST_STREAM] = stream_over,
	[POST_END] = end_over,
};

static bool
post_over(struct post *post, enum wire_egress_end why, const char *text)
{
	if (post->remote->link == NULL || post->is_answered)
		return true;
	if (post->moved_url != NULL)
		return move_over(post);
	if (post->fault != NULL)
		return fault_tell(post);
	return overs[post->kind](post, why, text);
}

static void
on_over(void *arg, enum wire_egress_end why, const char *text)
{
	struct post *post = arg;
	struct remote *remote = post->remote;

	post->one = NULL;
	post->is_barrier = false;
	remote->n_open--;
	evtimer_del(post->timer);
	post->is_busy = true;
	const bool is_over = post_over(post, why, text);
	post->is_busy = false;
	if (is_over || post->is_dropped)
		post_free(post);
	if (remote->link != NULL)
		remote_waiting_start(remote);
	else if (remote->posts == NULL)
		event_active(remote->leave, EV_TIMEOUT, 1);
}

const struct fetching_ops post_ops = {
	.head = on_head,
	.data = on_data,
	.over = on_over,
};
