/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The calls and surfaces of all servers, whatever their kind. A call begins
 * from the loop, never inside its start, and ends once; what ends early (a
 * server that is gone) does so from the loop as well.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/log.h"

/* This process's servers that were ever needed. */
static struct upstream *upstreams;

struct upstream *
upstream_make(struct gateway *gateway, struct server *server)
{
	if (server->upstream != NULL)
		return server->upstream;
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	if (upstream == NULL)
		return NULL;
	*upstream = (struct upstream){ .next = upstreams,
		.gateway = gateway,
		.server = server_ref(server) };
	upstreams = upstream;
	server->upstream = upstream;
	return upstream;
}

/* With its last call, once it is gone. */
static void
upstream_settle(struct upstream *upstream)
{
	struct upstream **at = &upstreams;

	if (!upstream->gone || upstream->calls != NULL)
		return;
	while (*at != upstream)
		at = &(*at)->next;
	*at = upstream->next;
	if (upstream->again != NULL)
		event_free(upstream->again);
	mcp_surface_free(upstream->surface);
	server_unref(upstream->server);
	free(upstream);
}

static const struct kind *
kind_of(const struct upstream *upstream)
{
	if (upstream->surface == NULL)
		return NULL; /* it is to say first what it is */
	if (upstream->server->record.launch.kind != WIRE_KIND_ISOLATE)
		return &lines_kind;
	return upstream->surface->is_fetch ? &worker_kind : &isolate_kind;
}

static void
call_unlink(struct upstream_call *call)
{
	struct upstream_call **at = &call->upstream->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
}

static void
call_free(struct upstream_call *call)
{
	struct upstream *upstream = call->upstream;

	call_unlink(call);
	for (size_t i = 0; i < BEHIND_ASKS_MAX; i++)
		free(call->asks[i].id);
	if (call->begin != NULL)
		event_free(call->begin);
	free(call->fate_text);
	free(call->text);
	free(call);
	upstream_settle(upstream);
}

void
behind_call_end(
    struct upstream_call *call, const struct upstream_answer *answer)
{
	call->ops->done(call->arg, answer);
	call_free(call);
}

void
behind_call_result(struct upstream_call *call, struct json_span value,
    enum mcp_era era, const struct pool_usage *usage)
{
	struct upstream_answer answer = {
		.end = UPSTREAM_RESULT, .value = value, .era = era
	};

	if (usage != NULL)
		answer.usage = *usage;
	behind_call_end(call, &answer);
}

void
behind_call_error(struct upstream_call *call, unsigned status, int code,
    const char *format, ...)
{
	static const char silent[] =
	    "{\"code\":-32603,\"message\":\"out of memory\"}";
	struct upstream_answer answer = { .end = UPSTREAM_ERROR,
		.value = { silent, sizeof(silent) - 1 },
		.era = call->client->era,
		.status = status };
	struct json_out out;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_out_init(&out, 4096);
	behind_error_write(&out, code, text);
	if (json_out_status(&out) == 0)
		answer.value = (struct json_span){ out.bytes, out.len };
	behind_call_end(call, &answer);
	json_out_fini(&out);
}

static void on_surface_for_call(void *arg, const struct mcp_surface *surface,
    const struct upstream_answer *failure);

static void
on_begin(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_call *call = arg;
	struct upstream *upstream = call->upstream;

	(void)fd;
	(void)what;
	if (call->fate != NULL) {
		behind_call_error(
		    call, 0, MCP_INTERNAL_ERROR, "%s", call->fate);
		return;
	}
	if (call->has_begun) {
		if (call->kind->expire != NULL)
			call->kind->expire(call);
		return;
	}
	if (call->kind == NULL)
		call->kind = kind_of(upstream);
	call->has_begun = call->kind != NULL;
	if (call->kind != NULL)
		call->kind->begin(call);
	else if (upstream_surface_get(upstream->gateway, upstream->server,
		     call->client, on_surface_for_call, call) != 0)
		behind_call_error(
		    call, 503, MCP_INTERNAL_ERROR, "out of memory");
}

static void
on_surface_for_call(void *arg, const struct mcp_surface *surface,
    const struct upstream_answer *failure)
{
	struct upstream_call *call = arg;

	if (surface == NULL)
		behind_call_end(call, failure);
	else
		event_active(call->begin, EV_TIMEOUT, 1);
}

static int
call_copy(struct upstream_call *call, const struct upstream_request *request)
{
	const size_t len = request->params.len;

	if (strlen(request->method) >= sizeof(call->method))
		return -EINVAL;
	strcpy(call->method, request->method);
	call->text = malloc(len + 1);
	if (call->text == NULL)
		return -ENOMEM;
	if (len > 0) {
		memcpy(call->text, request->params.at, len);
		call->params = (struct json_span){ call->text, len };
	}
	call->begin =
	    evtimer_new(call->upstream->gateway->base, on_begin, call);
	return call->begin == NULL ? -ENOMEM : 0;
}

int
behind_call_start(struct upstream *upstream, const struct kind *kind,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp)
{
	struct upstream_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return -ENOMEM;
	*call = (struct upstream_call){ .next = upstream->calls,
		.upstream = upstream,
		.kind = kind,
		.client = client,
		.ops = ops,
		.arg = arg,
		.request = request->id };
	upstream->calls = call;
	const int r = call_copy(call, request);
	if (r != 0) {
		call_free(call);
		return -ENOMEM;
	}
	event_active(call->begin, EV_TIMEOUT, 1);
	*callp = call;
	return 0;
}

int
upstream_call_start(struct gateway *gateway, struct server *server,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp)
{
	struct upstream *upstream = upstream_make(gateway, server);

	if (upstream == NULL)
		return -ENOMEM;
	return behind_call_start(
	    upstream, kind_of(upstream), client, request, ops, arg, callp);
}

int
upstream_call_answer(struct upstream_call *call, uint32_t ask, bool is_error,
    const char *json, size_t len)
{
	if (ask >= BEHIND_ASKS_MAX || !call->asks[ask].open)
		return -ENOENT;
	struct ask *open = &call->asks[ask];
	const int r = call->kind->answer(call, open, is_error, json, len);
	free(open->id);
	*open = (struct ask){ 0 };
	return r;
}

/* Once: what has a fate was dropped. */
static void
call_drop(struct upstream_call *call, const char *reason)
{
	if (call->fate != NULL)
		return;
	if (call->kind != NULL)
		call->kind->drop(call, reason);
	else
		upstream_surface_forget(
		    call->upstream->server, on_surface_for_call, call);
}

void
upstream_call_cancel(struct upstream_call *call, const char *reason)
{
	call_drop(call, reason);
	call_free(call);
}

void
upstream_call_pause(struct upstream_call *call, bool paused)
{
	call->paused = paused;
	if (call->kind != NULL)
		call->kind->pause(call, paused);
}

static void
wait_add(struct upstream *upstream, struct wait *wait)
{
	struct wait **end = &upstream->waits;

	while (*end != NULL)
		end = &(*end)->next;
	*end = wait;
}

int
upstream_surface_get(struct gateway *gateway, struct server *server,
    const struct client *client, upstream_surface_fn *fn, void *arg)
{
	struct upstream *upstream = upstream_make(gateway, server);

	if (upstream == NULL)
		return -ENOMEM;
	if (upstream->surface != NULL) {
		fn(arg, upstream->surface, NULL);
		return 0;
	}
	struct wait *wait = calloc(1, sizeof(*wait));
	if (wait == NULL)
		return -ENOMEM;
	*wait = (struct wait){ NULL, fn, arg };
	wait_add(upstream, wait);
	if (upstream->capture != NULL ||
	    capture_start(upstream, client, NULL) == 0)
		return 0;
	upstream_surface_forget(server, fn, arg);
	return -ENOMEM;
}

void
upstream_surface_forget(
    struct server *server, upstream_surface_fn *fn, void *arg)
{
	if (server->upstream == NULL)
		return;
	struct wait **at = &server->upstream->waits;
	while (*at != NULL) {
		struct wait *wait = *at;
		if (wait->fn == fn && wait->arg == arg) {
			*at = wait->next;
			free(wait);
		} else {
			at = &wait->next;
		}
	}
}

/* Those who wait now; who comes while they are told waits anew. */
static void
waits_tell(struct upstream *upstream, const struct upstream_answer *failure)
{
	struct wait *wait;

	/* One after the other off the list: each may forget the next. */
	struct wait mark = { .next = NULL };
	wait_add(upstream, &mark);
	while ((wait = upstream->waits) != &mark) {
		upstream->waits = wait->next;
		wait->fn(wait->arg, failure == NULL ? upstream->surface : NULL,
		    failure);
		free(wait);
	}
	upstream->waits = mark.next;
}

static unsigned
surface_diff(const struct mcp_surface *a, const struct mcp_surface *b)
{
	unsigned what = 0;

	if (!mcp_surface_list_equals(a, b, MCP_TOOLS))
		what |= UPSTREAM_TOOLS;
	if (!mcp_surface_list_equals(a, b, MCP_PROMPTS))
		what |= UPSTREAM_PROMPTS;
	if (!mcp_surface_list_equals(a, b, MCP_RESOURCES) ||
	    !mcp_surface_list_equals(a, b, MCP_TEMPLATES))
		what |= UPSTREAM_RESOURCES;
	return what;
}

static void
surface_keep(const struct upstream *upstream)
{
	struct json_out out;

	if (upstream->surface->n_dropped > 0)
		log_line(LOG_WARN, 0,
		    "server %s: %zu elements of its lists are left out: %s",
		    upstream->server->name, upstream->surface->n_dropped,
		    upstream->surface->dropped);
	json_out_init(&out, 2 * MCP_SURFACE_BYTES);
	mcp_surface_write(upstream->surface, &out);
	if (json_out_status(&out) == 0)
		registry_surface_keep(
		    upstream->gateway, upstream->server, out.bytes, out.len);
	json_out_fini(&out);
}

void
upstream_surface_set(struct upstream *upstream, struct mcp_surface *surface)
{
	struct mcp_surface *old = upstream->surface;
	unsigned changed = 0;

	upstream->surface = surface;
	if (old != NULL)
		changed = surface_diff(old, surface);
	if (old == NULL || changed != 0)
		surface_keep(upstream);
	mcp_surface_free(old);
	if (changed != 0)
		front_changed(upstream->gateway, upstream->server, changed);
	waits_tell(upstream, NULL);
}

void
upstream_surface_recall(struct gateway *gateway, struct server *server,
    const char *raw_json, size_t len)
{
	struct upstream *upstream = upstream_make(gateway, server);
	struct err err = { 0 };

	/* What it says itself counts. */
	if (upstream == NULL || upstream->surface != NULL ||
	    upstream->capture != NULL)
		return;
	if (mcp_surface_recall(raw_json, len, &upstream->surface, &err) != 0) {
		log_line(LOG_WARN, 0,
		    "what server %s advertised cannot be used, it is asked "
		    "again: %s",
		    server->name,
		    err.text[0] == '\0' ? "out of memory" : err.text);
		return;
	}
	/* It is the program that it was: it is not probed anew. */
	if (server->record.launch.kind == WIRE_KIND_BOX)
		upstream->verdict = upstream->surface->era == MCP_MODERN
		    ? VERDICT_MODERN
		    : VERDICT_LEGACY;
}

void
upstream_surface_failed(
    struct upstream *upstream, const struct upstream_answer *failure)
{
	waits_tell(upstream, failure);
}

const struct mcp_surface *
upstream_surface_known(const struct server *server)
{
	return server->upstream == NULL ? NULL : server->upstream->surface;
}

void
upstream_notify(struct gateway *gateway, struct server *server,
    const struct client *client, const char *method, struct json_span params)
{
	(void)gateway;
	if (server->upstream != NULL && server->upstream->links != NULL)
		lines_notify(server->upstream, client, method, params);
}

void
upstream_subscribe(struct gateway *gateway, struct server *server,
    const struct client *client, struct json_span uri, bool wanted)
{
	/* The last who watched may leave after the server has: it is not made
	 * anew for that. */
	struct upstream *upstream =
	    wanted ? upstream_make(gateway, server) : server->upstream;

	/* An isolate says of itself when something changed. */
	if (upstream != NULL && server->record.launch.kind != WIRE_KIND_ISOLATE)
		lines_subscribe(upstream, client, uri, wanted);
}

void
upstream_session_end(struct gateway *gateway, const uint8_t session[16])
{
	for (struct upstream *at = upstreams; at != NULL; at = at->next)
		if (at->gateway == gateway)
			lines_session_end(at, session);
}

/* All it does ends, from the loop. */
static void
calls_doom(struct upstream *upstream, const char *fate)
{
	for (struct upstream_call *call = upstream->calls; call != NULL;
	     call = call->next) {
		call_drop(call, fate);
		call->fate = fate;
		event_active(call->begin, EV_TIMEOUT, 1);
	}
}

static void
capture_end(struct upstream *upstream)
{
	if (upstream->capture != NULL)
		capture_drop(upstream->capture);
	upstream->capture = NULL;
	if (upstream->again != NULL)
		event_del(upstream->again);
}

static void
waits_refuse(struct upstream *upstream, const char *why)
{
	struct json_out out;

	json_out_init(&out, 4096);
	behind_error_write(&out, MCP_INTERNAL_ERROR, why);
	const struct upstream_answer failure = { .end = UPSTREAM_ERROR,
		.value = { out.bytes, out.len },
		.status = 503 };
	if (json_out_status(&out) == 0)
		waits_tell(upstream, &failure);
	json_out_fini(&out);
}

void
upstream_restart(struct gateway *gateway, struct server *server)
{
	static const char fate[] = "the server was restarted in the middle of "
				   "the call; call again";
	struct upstream *upstream = server->upstream;

	if (upstream == NULL)
		return;
	capture_end(upstream);
	calls_doom(upstream, fate);
	lines_end(upstream, "it was restarted");
	upstream->n_short = 0;
	upstream->not_before_ms = 0;
	waits_refuse(upstream, fate);
	front_subscriptions_lost(gateway, server);
}

void
upstream_forget(struct gateway *gateway, struct server *server)
{
	static const char fate[] = "the server was changed or removed in the "
				   "middle of the call";
	struct upstream *upstream = server->upstream;

	if (upstream == NULL)
		return;
	server->upstream = NULL;
	capture_end(upstream);
	calls_doom(upstream, fate);
	lines_end(upstream, "it was changed or removed");
	waits_refuse(upstream, fate);
	front_subscriptions_lost(gateway, server);
	upstream->gone = true;
	upstream_settle(upstream);
}

unsigned
upstream_links(const struct server *server)
{
	return server->upstream == NULL ? 0 : server->upstream->n_links;
}
