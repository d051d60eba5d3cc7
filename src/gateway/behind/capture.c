/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asks a server what it offers: a bundle by what it declared; any other by a
 * greeting (its kind's matter) and then its lists, page by page. A cursor that
 * was seen before, or a hundredth page, ends a list with a failure: such a
 * server would be asked for ever.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/log.h"

#define PAGES_MAX 100
#define PATIENCE_S 30

struct capture {
	struct upstream *upstream; /* NULL: dropped while a bundle loads */
	struct mcp_surface *surface;
	/* Whom it is done for: the link is chosen by it. */
	struct client client;
	uint8_t session[16];
	struct link *link; /* NULL: whichever the client's is */
	struct upstream_call *call; /* under way */
	capture_fn *done; /* of that call */
	struct event *deadline;
	bool is_lost; /* the link it went by is dead */
	bool is_loading; /* pool_surface_get() will call back */
	enum mcp_list list;
	size_t n_pages; /* of this list */
	struct json_span cursors[PAGES_MAX]; /* in the surface */
};

static void
capture_free(struct capture *capture)
{
	if (capture->deadline != NULL)
		event_free(capture->deadline);
	mcp_surface_free(capture->surface);
	if (capture->client.principal != NULL)
		principal_unref(capture->client.principal);
	free(capture);
}

void
capture_drop(struct capture *capture)
{
	if (capture->call != NULL)
		upstream_call_cancel(
		    capture->call, "the host asks no longer what is offered");
	capture->call = NULL;
	lines_greet_forget(capture->upstream);
	capture->upstream = NULL;
	if (!capture->is_loading)
		capture_free(capture);
}

const struct client *
capture_client(const struct capture *capture)
{
	return &capture->client;
}

struct upstream *
capture_upstream(const struct capture *capture)
{
	return capture->upstream;
}

void
capture_fail(struct capture *capture, const struct upstream_answer *failure)
{
	struct upstream *upstream = capture->upstream;

	log_line(LOG_WARN, 0, "server %s does not say what it offers: %.*s",
	    upstream->server->name,
	    (int)(failure->value.len < 600 ? failure->value.len : 600),
	    failure->value.at);
	upstream->capture = NULL;
	capture_drop(capture);
	upstream_surface_failed(upstream, failure);
}

void
capture_refuse(struct capture *capture, const char *format, ...)
{
	struct json_out out;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_out_init(&out, 8192);
	json_out_text(&out, "{\"code\":-32603,\"message\":");
	json_out_string(&out, text, strlen(text));
	json_out_text(&out, "}");
	const struct upstream_answer failure = { .end = UPSTREAM_ERROR,
		.value = { out.bytes, out.len },
		.era = capture->client.era,
		.status = 502 };
	capture_fail(capture, &failure);
	json_out_fini(&out);
}

static void
capture_finish(struct capture *capture)
{
	struct upstream *upstream = capture->upstream;
	struct mcp_surface *surface = steal_ptr(&capture->surface);

	upstream->capture = NULL;
	capture_drop(capture);
	upstream_surface_set(upstream, surface);
}

struct link *
capture_link(const struct capture *capture)
{
	return capture->link;
}

void
capture_lost(struct capture *capture, const char *why)
{
	/* A call of it ends with the link, and says so itself. */
	capture->is_lost = true;
	if (capture->call == NULL)
		capture_refuse(capture, "%s", why);
}

static void list_next(struct capture *capture);

static void
on_call_done(void *arg, const struct upstream_answer *answer)
{
	struct capture *capture = arg;

	capture->call = NULL;
	capture->done(capture, answer);
}

static const struct upstream_call_ops call_ops = { .done = on_call_done };

void
capture_call(struct capture *capture, const char *method,
    struct json_span params, capture_fn *done)
{
	struct upstream *upstream = capture->upstream;
	const struct upstream_request request = { method, params, 0 };
	const struct kind *kind =
	    upstream->server->record.launch.kind != WIRE_KIND_ISOLATE
	    ? &lines_kind
	    : &worker_kind;

	capture->done = done;
	if (behind_call_start(upstream, kind, &capture->client, &request,
		&call_ops, capture, &capture->call) != 0) {
		capture_refuse(capture, "out of memory");
		return;
	}
	capture->call->is_capture = true;
	capture->call->pinned = capture->link;
}

static bool
cursor_is_new(const struct capture *capture, struct json_span cursor)
{
	for (size_t i = 0; i < capture->n_pages; i++)
		if (capture->cursors[i].len == cursor.len &&
		    memcmp(capture->cursors[i].at, cursor.at, cursor.len) == 0)
			return false;
	return true;
}

static void page_ask(struct capture *capture, struct json_span cursor);

static void
page_take(struct capture *capture, struct json_span result)
{
	struct json_span cursor = { 0 };
	struct err err = { 0 };

	const int r = mcp_surface_page_take(
	    capture->surface, capture->list, result, &cursor, &err);
	if (r != 0) {
		capture_refuse(capture, "%s",
		    err.text[0] == '\0' ? "out of memory" : err.text);
	} else if (cursor.at == NULL) {
		capture->list++;
		list_next(capture);
	} else if (capture->n_pages == PAGES_MAX ||
	    !cursor_is_new(capture, cursor)) {
		capture_refuse(capture, "%s never ends: the server gives %s",
		    mcp_list_method(capture->list),
		    capture->n_pages == PAGES_MAX
			? "more than 100 pages"
			: "a cursor that it gave before");
	} else {
		capture->cursors[capture->n_pages++] = cursor;
		page_ask(capture, cursor);
	}
}

static void
on_page(struct capture *capture, const struct upstream_answer *answer)
{
	if (answer->end == UPSTREAM_RESULT) {
		page_take(capture, answer->value);
		return;
	}
	if (capture->list == MCP_TOOLS || capture->is_lost ||
	    answer->status == 503) {
		capture_fail(capture, answer);
		return;
	}
	/* Many say "resources" and have no templates/list. */
	log_line(LOG_DEBUG, 0, "server %s has no %s",
	    capture->upstream->server->name, mcp_list_method(capture->list));
	capture->list++;
	list_next(capture);
}

static void
page_ask(struct capture *capture, struct json_span cursor)
{
	struct json_out params;

	json_out_init(&params, MCP_SURFACE_BYTES);
	if (cursor.at != NULL) {
		json_out_text(&params, "{\"cursor\":");
		json_out_span(&params, cursor);
		json_out_text(&params, "}");
	}
	if (json_out_status(&params) != 0)
		capture_refuse(capture, "out of memory");
	else
		capture_call(capture, mcp_list_method(capture->list),
		    (struct json_span){ params.bytes, params.len }, on_page);
	json_out_fini(&params);
}

static void
list_next(struct capture *capture)
{
	static const char *const capabilities[] = { "tools", "prompts",
		"resources", "resources" };

	while (capture->list < MCP_N_LISTS &&
	    !mcp_surface_can(
		capture->surface, capabilities[capture->list], NULL))
		capture->list++;
	capture->n_pages = 0;
	if (capture->list < MCP_N_LISTS)
		page_ask(capture, (struct json_span){ 0 });
	else if (mcp_surface_finish(capture->surface) != 0)
		capture_refuse(capture, "out of memory");
	else
		capture_finish(capture);
}

void
capture_greeted(
    struct capture *capture, enum mcp_era era, struct json_span result)
{
	struct err err = { 0 };

	const int r =
	    mcp_surface_info_take(capture->surface, era, result, &err);
	if (r != 0) {
		capture_refuse(capture, "%s",
		    err.text[0] == '\0' ? "out of memory" : err.text);
		return;
	}
	strcpy(capture->upstream->version, capture->surface->version);
	capture->upstream->verdict =
	    era == MCP_MODERN ? VERDICT_MODERN : VERDICT_LEGACY;
	capture->list = MCP_TOOLS;
	list_next(capture);
}

static void
load_fail(struct capture *capture, const struct pool_outcome *outcome)
{
	struct json_out out;
	const struct mcp_failure failure = behind_failure(outcome);

	json_out_init(&out, 1 << 20);
	mcp_load_failure_make(&out, capture->upstream->server->name, &failure);
	const struct upstream_answer answer = { .end = UPSTREAM_ERROR,
		.value = { out.bytes, out.len },
		.era = capture->client.era,
		.status = outcome->end == POOL_OVERLOADED ? 503 : 0,
		.usage = outcome->usage };
	capture_fail(capture, &answer);
	json_out_fini(&out);
}

static void
deadline_set(struct capture *capture)
{
	static const struct timeval patience = { PATIENCE_S, 0 };

	evtimer_add(capture->deadline, &patience);
}

static void
on_declared(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	struct capture *capture = arg;
	struct mcp_surface *surface = NULL;
	struct err err = { 0 };

	capture->is_loading = false;
	if (capture->upstream == NULL) {
		capture_free(capture);
		return;
	}
	if (raw_json == NULL) {
		load_fail(capture, failure);
		return;
	}
	if (mcp_surface_admit(raw_json, len, &surface, &err) != 0) {
		const char *why =
		    err.text[0] == '\0' ? "out of memory" : err.text;
		struct json_out text;
		json_out_init(&text, 8192);
		json_out_text(&text, "{\"message\":");
		json_out_string(&text, why, strlen(why));
		json_out_text(&text, "}");
		load_fail(capture,
		    &(struct pool_outcome){ .end = POOL_LOAD_ERROR,
			.text = text.bytes,
			.text_len = text.len });
		json_out_fini(&text);
		return;
	}
	mcp_surface_free(capture->surface);
	capture->surface = surface;
	if (surface->is_fetch) {
		deadline_set(capture);
		worker_kind.greet(capture);
	} else {
		capture_finish(capture);
	}
}

/* From the loop: nobody is told from inside what asked. */
static void
capture_go(struct capture *capture)
{
	struct upstream *upstream = capture->upstream;

	if (upstream->server->record.launch.kind != WIRE_KIND_ISOLATE) {
		deadline_set(capture);
		lines_kind.greet(capture);
		return;
	}
	capture->is_loading = true;
	if (pool_surface_get(upstream->gateway->pool,
		upstream->server->record.id, on_declared, capture) == 0)
		return;
	capture->is_loading = false;
	capture_refuse(capture, "out of memory");
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct capture *capture = arg;

	(void)fd;
	if ((what & EV_READ) != 0)
		capture_go(capture);
	else
		capture_refuse(capture,
		    "the server did not say within %d s what it offers",
		    PATIENCE_S);
}

int
capture_start(
    struct upstream *upstream, const struct client *client, struct link *link)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	if (capture == NULL)
		return -ENOMEM;
	*capture = (struct capture){
		.upstream = upstream, .client = *client, .link = link
	};
	capture->client.info = (struct json_span){ 0 };
	capture->client.capabilities = (struct json_span){ 0 };
	if (client->principal != NULL)
		principal_ref(client->principal);
	if (client->session != NULL) {
		memcpy(capture->session, client->session,
		    sizeof(capture->session));
		capture->client.session = capture->session;
	}
	capture->deadline =
	    evtimer_new(upstream->gateway->base, on_time, capture);
	if (capture->deadline == NULL ||
	    mcp_surface_new(&capture->surface) != 0) {
		capture_free(capture);
		return -ENOMEM;
	}
	upstream->capture = capture;
	upstream->capture_ms = behind_now_ms();
	/* EV_READ says: begin; a time-out says that it took too long. */
	event_active(capture->deadline, EV_READ, 1);
	return 0;
}
