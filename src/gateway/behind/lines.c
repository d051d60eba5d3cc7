/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON-RPC lines over a link. The order of a link's life: server/discover finds
 * out whether the server is modern; any other answer, silence, or its leaving
 * means initialize. Then calls, under ids and progress tokens of ours: an
 * answer that names none of them is dropped, and too many of those end the
 * link. What the server asks or logs by itself belongs to a call only if it is
 * the only one under way on the link; a link carries one principal's calls
 * unless the operator shares it, so a wrong guess would be a leak.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/link.h"
#include "gateway/log.h"

#define BATCH_MAX 64
#define CALL_MAX_MS (3600u * 1000u) /* with its progress and asks, as cells */
#define ASKS_MS 10 /* for asks to come together */

static uint64_t
wall_ms(const struct upstream_call *call)
{
	return call->upstream->server->record.launch.limits.wall_ns / 1000000;
}

/* All that is left to the call, however often its clock starts anew. */
static uint64_t
left_ms(const struct upstream_call *call)
{
	const uint64_t passed = behind_now_ms() - call->sent_ms;
	const uint64_t max =
	    wall_ms(call) > CALL_MAX_MS ? wall_ms(call) : CALL_MAX_MS;

	return passed < max ? max - passed : 0;
}

static void
clock_start(struct upstream_call *call)
{
	const uint64_t left = left_ms(call);
	const uint64_t ms = wall_ms(call) < left ? wall_ms(call) : left;
	const struct timeval delay = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	if (wall_ms(call) > 0 && !call->wants_wait)
		evtimer_add(call->begin, &delay);
}

static void
call_unlink(struct upstream_call *call)
{
	struct upstream_call **at = &call->link->calls;

	while (*at != call)
		at = &(*at)->next_on_link;
	*at = call->next_on_link;
	call->next_on_link = NULL;
	call->link->used_ms = behind_now_ms();
	if (call->link->is_retired && call->link->calls == NULL)
		link_timer_set(call->link, 0);
	call->link = NULL;
	call->id = 0;
	evtimer_del(call->begin);
}

static void
call_refuse(struct upstream_call *call, const char *why)
{
	if (call->link != NULL)
		call_unlink(call);
	behind_call_error(call, 503, MCP_INTERNAL_ERROR, "%s", why);
}

static void
call_send(struct upstream_call *call)
{
	struct link *link = call->link;
	const struct json_span meta = behind_param(call, "_meta");
	struct json_want token = { .name = "progressToken" };
	char ours[24];
	struct json_out out;

	const bool wants_progress =
	    json_members_find(meta, &token, 1) == 0 && token.value.at != NULL;
	call->id = ++link->last_id;
	if (wants_progress)
		snprintf(
		    ours, sizeof(ours), "%llu", (unsigned long long)call->id);
	lines_request_open(&out, call->id, call->method);
	json_out_text(&out, ",\"params\":");
	const int r = behind_params_write(
	    &out, call, link->era, wants_progress ? ours : NULL);
	if (r != 0)
		out.status = r;
	call->sent_ms = link->used_ms = behind_now_ms();
	if (lines_message_send(link, &out, call, false))
		clock_start(call);
	else
		call_refuse(call,
		    "the server does not read what it is sent: 16 MiB wait "
		    "for it; try again later");
}

void
lines_calls_send(struct link *link)
{
	struct upstream_call *call = link->calls;

	/* From the start each time: one that cannot be sent ends, and who is
	 * told of that may end the next one. */
	while (call != NULL) {
		if (call->id != 0) {
			call = call->next_on_link;
			continue;
		}
		call_send(call);
		call = link->calls;
	}
}

static void
call_add(struct link *link, struct upstream_call *call)
{
	const bool is_doubtful = life_is_doubtful(link);
	struct upstream_call **at = &link->calls;

	while (*at != NULL)
		at = &(*at)->next_on_link;
	*at = call;
	call->link = link;
	if (link->stage == LINK_READY && is_doubtful)
		lines_check(link);
	else if (link->stage == LINK_READY)
		call_send(call);
}

static bool
link_is_there(const struct upstream *upstream, const struct link *link)
{
	const struct link *at = upstream->links;

	while (at != NULL && at != link)
		at = at->next;
	return at != NULL;
}

static void
lines_begin(struct upstream_call *call)
{
	struct upstream *upstream = call->upstream;
	struct link *link = call->pinned;
	char why[256] = "the server ended";

	if (link == NULL)
		link = link_get(upstream, call->client, why);
	else if (!link_is_there(upstream, link))
		link = NULL;
	if (link == NULL)
		call_refuse(call, why);
	else
		call_add(link, call);
}

static void
lines_greet(struct capture *capture)
{
	struct upstream *upstream = capture_upstream(capture);
	struct link *link = capture_link(capture);
	char why[256] = "the server ended";

	if (link == NULL)
		link = link_get(upstream, capture_client(capture), why);
	else if (!link_is_there(upstream, link))
		link = NULL;
	if (link == NULL)
		capture_refuse(capture, "%s", why);
	else if (link->stage >= LINK_READY)
		capture_greeted(capture, link->era,
		    (struct json_span){ link->hello, link->hello_len });
	else
		link->greets = true;
}

void
lines_greet_forget(struct upstream *upstream)
{
	for (struct link *link = upstream->links; link != NULL;
	     link = link->next)
		link->greets = false;
}

static void
cancel_send(struct link *link, uint64_t id, const char *reason)
{
	struct json_out out;

	lines_message_open(&out, 8192);
	json_out_text(&out,
	    ",\"method\":\"notifications/cancelled\",\"params\":"
	    "{\"requestId\":");
	json_out_uint(&out, id);
	if (reason != NULL) {
		json_out_text(&out, ",\"reason\":");
		json_out_string(&out, reason, strnlen(reason, 256));
	}
	json_out_text(&out, "}");
	lines_message_send(link, &out, NULL, true);
}

static void
lines_drop(struct upstream_call *call, const char *reason)
{
	struct link *link = call->link;
	const uint64_t id = call->id;

	if (link == NULL)
		return;
	call_unlink(call);
	if (id == 0 || link_unwrite(link, call))
		return;
	link->n_late++;
	if (link->principal == NULL)
		link->doubt_until_ms = behind_now_ms() +
		    call->upstream->server->record.launch.limits.wall_ns /
			1000000;
	cancel_send(link, id, reason);
}

/* All that the server asks for now is there. */
static void
call_wait(struct upstream_call *call)
{
	call->wants_wait = false;
	clock_start(call);
	if (call->ops->wait != NULL)
		call->ops->wait(call->arg);
}

static bool
has_open_asks(const struct upstream_call *call)
{
	for (size_t i = 0; i < BEHIND_ASKS_MAX; i++)
		if (call->asks[i].open)
			return true;
	return false;
}

static void
lines_expire(struct upstream_call *call)
{
	const bool is_over = left_ms(call) == 0;

	if (call->wants_wait) {
		call_wait(call);
		return;
	}
	if (!is_over &&
	    has_open_asks(call)) { /* the client's patience counts */
		clock_start(call);
		return;
	}
	if (call->link != NULL)
		call->link->is_doubted = true;
	lines_drop(call, "the call took too long");
	behind_call_error(call, 0, MCP_INTERNAL_ERROR,
	    is_over ? "timeout: the server did not answer %s within %llu s, "
		      "with all its progress and questions"
		    : "timeout: the server did not answer %s within %llu s "
		      "(wall_ms)",
	    call->method,
	    (unsigned long long)(is_over ? behind_now_ms() - call->sent_ms
					 : wall_ms(call)) /
		1000);
}

static int
lines_answer(struct upstream_call *call, struct ask *ask, bool is_error,
    const char *json, size_t len)
{
	struct json_out out;

	if (call->link == NULL)
		return -ENOENT;
	lines_message_open(&out, BEHIND_TEXT_MAX);
	json_out_text(&out, ",\"id\":");
	json_out_text(&out, ask->id);
	json_out_text(&out, is_error ? ",\"error\":" : ",\"result\":");
	json_out_raw(&out, json, len);
	clock_start(call);
	return lines_message_send(call->link, &out, NULL, false) ? 0 : -ENOMEM;
}

static void
lines_pause(struct upstream_call *call, bool paused)
{
	/* Others use the link: it is read on, what is paused loses its
	 * notifications. */
	(void)call;
	(void)paused;
}

const struct kind lines_kind = {
	.begin = lines_begin,
	.answer = lines_answer,
	.drop = lines_drop,
	.pause = lines_pause,
	.expire = lines_expire,
	.greet = lines_greet,
};

static struct upstream_call *
call_by_id(const struct link *link, struct json_span id)
{
	char digits[24];

	for (struct upstream_call *call = link->calls; call != NULL;
	     call = call->next_on_link) {
		const int n = snprintf(digits, sizeof(digits), "%llu",
		    (unsigned long long)call->id);
		if (call->id != 0 && id.len == (size_t)n &&
		    memcmp(id.at, digits, id.len) == 0)
			return call;
	}
	return NULL;
}

static bool
id_is(struct json_span id, uint64_t number)
{
	char digits[24];
	const int n = snprintf(
	    digits, sizeof(digits), "%llu", (unsigned long long)number);

	return number != 0 && id.len == (size_t)n &&
	    memcmp(id.at, digits, id.len) == 0;
}

static void
stray_count(struct link *link, const char *what)
{
	if (link->n_late > 0) {
		link->n_late--;
		return;
	}
	if (link->n_strays++ == 0)
		log_line(LOG_WARN, 0, "server %s: %s",
		    link->upstream->server->name, what);
	if (link->n_strays > LINK_STRAYS_MAX)
		link_end(link, UPSTREAM_OVER_BROKEN, false,
		    "the server sent more than %d messages that answer "
		    "nothing or are none",
		    LINK_STRAYS_MAX);
}

static struct upstream_call *
call_by_number(const struct link *link, uint64_t id)
{
	struct upstream_call *call = link->calls;

	while (call != NULL && call->id != id)
		call = call->next_on_link;
	return call;
}

static uint64_t
number_of(struct json_span id)
{
	uint64_t number = 0;

	for (size_t i = 0; i < id.len && i < 19; i++) {
		if (id.at[i] < '0' || id.at[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(id.at[i] - '0');
	}
	return number;
}

static void
response_take(struct link *link, struct json_span value,
    const struct mcp_message *message)
{
	struct json_want members[] = { { .name = "result" },
		{ .name = "error" } };

	json_members_find(value, members, ARRAY_LEN(members));
	link->answered_id = number_of(message->id);
	if (id_is(message->id, link->probe_id) &&
	    lines_probe_take(link, members[0].value))
		return;
	if (link->stage != LINK_READY && id_is(message->id, link->greet_id)) {
		link->greet_id = 0;
		lines_greeting_take(link, members[0].value, members[1].value);
		return;
	}
	if (id_is(message->id, link->listen_id)) {
		link->listen_id = 0;
		return;
	}
	struct upstream_call *call = call_by_id(link, message->id);
	if (call == NULL) {
		stray_count(link, "it answered what nobody asked");
		return;
	}
	const struct pool_usage usage = {
		.wall_us = (behind_now_ms() - call->sent_ms) * 1000
	};
	const enum mcp_era era = link->era;
	link->n_answers += !call->is_capture;
	link->is_doubted = false;
	/* It may have answered what it has not read to its end. */
	link_unwrite(link, call);
	call_unlink(call);
	behind_call_response(
	    call, members[0].value, members[1].value, era, &usage);
}

/* It has asked, and has no more to ask for now. */
static bool
is_waiting(const struct upstream_call *call)
{
	return !call->wants_wait && has_open_asks(call);
}

static bool
is_same_client(
    const struct upstream_call *call, const struct upstream_call *other)
{
	const uint8_t *a = call->client->session, *b = other->client->session;

	if (call->client->principal != other->client->principal)
		return false;
	return a == NULL || b == NULL ? a == b : memcmp(a, b, 16) == 0;
}

/* The one client's call under way, whose this must be; NULL: it cannot be
 * told. A call that waits for an answer already is at rest, and stands in
 * nobody's way as long as it is the same client's: one that a modern client
 * never came back for would else be so for minutes. On a link of all, one that
 * was given up may go on for its time, and what it says is another's. */
static struct upstream_call *
call_only(const struct link *link)
{
	struct upstream_call *only = NULL, *waiting = NULL, *call;
	unsigned n_busy = 0, n_waiting = 0;

	/* It stands in the answer to it. */
	if (link->speaker_id != 0) {
		call = call_by_number(link, link->speaker_id);
		return call == NULL || call->is_capture ? NULL : call;
	}
	if (behind_now_ms() < link->doubt_until_ms)
		return NULL;
	for (call = link->calls; call != NULL; call = call->next_on_link) {
		if (call->id == 0 || call->is_capture)
			continue;
		if (is_waiting(call)) {
			waiting = call;
			n_waiting++;
		} else {
			only = call;
			n_busy++;
		}
	}
	if (n_busy == 0)
		return n_waiting == 1 ? waiting : NULL;
	if (n_busy > 1)
		return NULL;
	for (call = link->calls; call != NULL; call = call->next_on_link)
		if (is_waiting(call) && !is_same_client(call, only))
			return NULL;
	return only;
}

/* Answers to what it asks are as many as it likes: it has to read them. */
static void
reply_send(struct link *link, struct json_out *out)
{
	if (link->queued <= LINK_REPLIES_MAX &&
	    lines_message_send(link, out, NULL, false))
		return;
	json_out_fini(out);
	stray_count(link, "it asks, and does not read the answers");
}

static void
reply_error(struct link *link, struct json_span id, int code, const char *text)
{
	struct json_out out;
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", code);
	lines_message_open(&out, 8192);
	json_out_text(&out, ",\"id\":");
	json_out_span(&out, id);
	json_out_text(&out, ",\"error\":{\"code\":");
	json_out_text(&out, digits);
	json_out_text(&out, ",\"message\":");
	json_out_string(&out, text, strlen(text));
	json_out_text(&out, "}");
	reply_send(link, &out);
}

static void
ask_take(struct link *link, const struct mcp_message *message)
{
	struct upstream_call *call = call_only(link);
	static const struct timeval soon = { 0, ASKS_MS * 1000 };
	struct json_span params = message->params;
	uint32_t number;
	int code;

	if (call == NULL) {
		reply_error(link, message->id, MCP_INVALID_REQUEST,
		    "it cannot be told which client this is for: not exactly "
		    "one call is under way, or one was just cancelled");
		return;
	}
	const char *refusal = behind_ask_refusal(call, message->method, &code);
	if (refusal != NULL) {
		reply_error(link, message->id, code, refusal);
		return;
	}
	struct ask *ask = behind_ask_open(call, &number);
	if (ask != NULL)
		ask->id = strndup(message->id.at, message->id.len);
	if (ask == NULL || ask->id == NULL) {
		if (ask != NULL)
			ask->open = false;
		reply_error(link, message->id, MCP_INTERNAL_ERROR,
		    "one call asks at most 16 things at once");
		return;
	}
	if (params.at == NULL)
		params = (struct json_span){ "{}", 2 };
	/* Servers ask several things one after the other: they go together. */
	call->wants_wait = true;
	evtimer_add(call->begin, &soon);
	call->ops->ask(call->arg, number, message->method, params);
}

static void
request_take(struct link *link, const struct mcp_message *message)
{
	struct json_out out;

	if (!json_string_equals(message->method, "ping")) {
		ask_take(link, message);
		return;
	}
	lines_message_open(&out, 8192);
	json_out_text(&out, ",\"id\":");
	json_out_span(&out, message->id);
	json_out_text(&out, ",\"result\":{}");
	reply_send(link, &out);
}

static void
progress_take(struct link *link, const struct mcp_message *message)
{
	struct json_want token = { .name = "progressToken" };

	if (json_members_find(message->params, &token, 1) != 0)
		return;
	struct upstream_call *call = call_by_id(link, token.value);
	if (call == NULL || call->is_capture)
		return;
	clock_start(call); /* it is at work */
	behind_call_note(call, message->method, message->params);
}

/* What belongs to no call is bounded by time alone. */
static bool
may_tell(struct link *link)
{
	const uint64_t now_s = behind_now_ms() / 1000;

	if (link->told_s != now_s) {
		link->told_s = now_s;
		link->n_told = 0;
	}
	if (link->n_told++ == LINK_TOLD_MAX)
		log_line(LOG_WARN, 0,
		    "server %s: more than %d notifications in a second; the "
		    "rest is dropped",
		    link->upstream->server->name, LINK_TOLD_MAX);
	return link->n_told <= LINK_TOLD_MAX;
}

static void
message_note_take(struct link *link, const struct mcp_message *message)
{
	struct upstream_call *call = call_only(link);

	if (call != NULL)
		behind_call_note(call, message->method, message->params);
	else if (json_string_equals(message->method, "notifications/message") &&
	    may_tell(link))
		front_log(link->upstream->gateway, link->upstream->server,
		    link->principal, message->params);
}

/* The server takes an ask back. */
static void
cancelled_take(struct link *link, const struct mcp_message *message)
{
	struct json_want id = { .name = "requestId" };

	if (json_members_find(message->params, &id, 1) != 0 ||
	    id.value.at == NULL)
		return;
	for (struct upstream_call *call = link->calls; call != NULL;
	     call = call->next_on_link)
		for (size_t i = 0; i < BEHIND_ASKS_MAX; i++) {
			struct ask *ask = &call->asks[i];
			if (!ask->open || strlen(ask->id) != id.value.len ||
			    memcmp(ask->id, id.value.at, id.value.len) != 0)
				continue;
			free(ask->id);
			*ask = (struct ask){ 0 };
		}
}

static void
notification_take(struct link *link, const struct mcp_message *message)
{
	struct mcp_message whole = *message;
	unsigned what;

	if (whole.params.at == NULL)
		whole.params = (struct json_span){ "{}", 2 };
	if (json_string_equals(whole.method, "notifications/progress")) {
		progress_take(link, &whole);
	} else if (json_string_equals(
		       whole.method, "notifications/cancelled")) {
		cancelled_take(link, &whole);
	} else if (behind_change_take(
		       link->upstream, whole.method, whole.params, &what)) {
		if (what != 0 && link->upstream->surface != NULL)
			lines_lists_ask_again(link);
	} else if (!json_string_equals(whole.method,
		       "notifications/subscriptions/acknowledged")) {
		message_note_take(link, &whole);
	}
}

static void
value_take(struct link *link, struct json_span value)
{
	struct mcp_message message;
	struct mcp_error error;

	if (mcp_message_parse(value, &message, &error) != 0)
		stray_count(link, "it sent a line that is no message");
	else if (message.kind == MCP_RESPONSE)
		response_take(link, value, &message);
	else if (link->stage < LINK_READY)
		return; /* nothing is due before it has greeted us */
	else if (message.kind == MCP_REQUEST)
		request_take(link, &message);
	else
		notification_take(link, &message);
}

bool
lines_line(void *arg, const char *raw_text, size_t len)
{
	struct link *link = arg;
	struct json_span value, element;
	struct json_iter iter;

	if (json_check(raw_text, len, &value, NULL) != 0) {
		stray_count(link, "it sent a line that is no JSON");
		return !link->is_dead;
	}
	if (json_kind_of(value) != JSON_KIND_ARRAY) {
		value_take(link, value);
		return !link->is_dead;
	}
	json_iter_init(&iter, value);
	for (size_t n = 0; n < BATCH_MAX && !link->is_dead &&
	     json_iter_element(&iter, &element);
	     n++)
		value_take(link, element);
	return !link->is_dead;
}

void
lines_session_end(struct upstream *upstream, const uint8_t session[16])
{
	struct link *link = upstream->links, *next;

	for (; link != NULL; link = next) {
		next = link->next;
		if (link->has_session &&
		    memcmp(link->session, session, sizeof(link->session)) == 0)
			link_end(link, UPSTREAM_OVER_STOPPED, false,
			    "its session is over");
	}
}

void
lines_end(struct upstream *upstream, const char *reason)
{
	while (upstream->links != NULL)
		link_end(upstream->links, UPSTREAM_OVER_STOPPED, false, "%s",
		    reason);
}
