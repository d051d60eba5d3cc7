/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a link's life begins, and what it hears besides answers: the era is found
 * out, the server greeted, its changes listened for, its lists asked for anew.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/link.h"
#include "gateway/log.h"

#define PROBE_MS 5000
#define GREETING_MS 25000
#define AGAIN_MS 50
#define CHECK_MS 5000

void
lines_message_open(struct json_out *out, size_t limit)
{
	json_out_init(out, limit);
	json_out_text(out, "{\"jsonrpc\":\"2.0\"");
}

void
lines_request_open(struct json_out *out, uint64_t id, const char *method)
{
	lines_message_open(out, BEHIND_TEXT_MAX);
	json_out_text(out, ",\"id\":");
	json_out_uint(out, id);
	json_out_text(out, ",\"method\":\"");
	json_out_text(out, method);
	json_out_text(out, "\"");
}

/* Sends what was written, and gives its memory back. */
bool
lines_message_send(struct link *link, struct json_out *out,
    struct upstream_call *call, bool first)
{
	json_out_text(out, "}");
	const bool sent = link_write(link, out, call, first);
	json_out_fini(out);
	return sent;
}

static void
notification_send(
    struct link *link, const char *method, struct json_span params)
{
	struct json_out out;

	lines_message_open(&out, BEHIND_TEXT_MAX);
	json_out_text(&out, ",\"method\":\"");
	json_out_text(&out, method);
	json_out_text(&out, "\"");
	if (params.at != NULL) {
		json_out_text(&out, ",\"params\":");
		json_out_span(&out, params);
	}
	lines_message_send(link, &out, NULL, false);
}

/* _meta of a request that is the host's own, to a modern server. */
static void
own_meta_write(struct json_out *out)
{
	json_out_text(out,
	    "\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_VERSION_MODERN
	    "\",\"" MCP_META_CAPABILITIES "\":{},\"" MCP_META_CLIENT_INFO
	    "\":{\"name\":\"cordon\",\"version\":\"" CORDON_VERSION "\"}}");
}

static void
probe_send(struct link *link)
{
	struct json_out out;

	link->stage = LINK_PROBING;
	link->greet_id = link->probe_id = ++link->last_id;
	lines_request_open(&out, link->greet_id, "server/discover");
	json_out_text(&out, ",\"params\":{");
	own_meta_write(&out);
	json_out_text(&out, "}");
	lines_message_send(link, &out, NULL, false);
	link_timer_set(link, life_stage_ms(link, PROBE_MS));
}

static void
initialize_send(struct link *link)
{
	struct json_out out;

	link->stage = LINK_GREETING;
	link->era = MCP_LEGACY;
	link->greet_id = ++link->last_id;
	lines_request_open(&out, link->greet_id, "initialize");
	json_out_text(&out, ",\"params\":");
	behind_initialize_write(&out, link->can);
	lines_message_send(link, &out, NULL, false);
	link_timer_set(link, life_stage_ms(link, GREETING_MS));
}

void
lines_opened(struct link *link)
{
	if (link->upstream->verdict == VERDICT_LEGACY)
		initialize_send(link);
	else
		probe_send(link);
}

bool
lines_left(struct link *link)
{
	if (link->stage != LINK_PROBING)
		return false;
	/* Some leave at the first request that is not initialize. */
	link->upstream->verdict = VERDICT_LEGACY;
	return true;
}

/* Modern servers tell of changes only who listens. */
static void
listen_send(struct link *link)
{
	struct json_out out;
	const char *comma = "";

	if (link->listen_id != 0) {
		char cancel[64];
		snprintf(cancel, sizeof(cancel), "{\"requestId\":%llu}",
		    (unsigned long long)link->listen_id);
		notification_send(link, "notifications/cancelled",
		    (struct json_span){ cancel, strlen(cancel) });
		link->n_late++;
	}
	link->listen_id = ++link->last_id;
	lines_request_open(&out, link->listen_id, "subscriptions/listen");
	json_out_text(&out, ",\"params\":{");
	own_meta_write(&out);
	json_out_text(&out,
	    ",\"notifications\":{\"toolsListChanged\":true,"
	    "\"promptsListChanged\":true,\"resourcesListChanged\":true");
	if (link->uris != NULL)
		json_out_text(&out, ",\"resourceSubscriptions\":[");
	for (const struct uri *uri = link->uris; uri != NULL; uri = uri->next) {
		json_out_text(&out, comma);
		json_out_raw(&out, uri->json, uri->len);
		comma = ",";
	}
	json_out_text(&out, link->uris != NULL ? "]}}" : "}}");
	lines_message_send(link, &out, NULL, false);
}

/* A legacy request of the host's own, whose answer is of no interest. */
static void
subscribe_send(struct link *link, const char *method, struct json_span uri)
{
	struct json_out out;

	lines_request_open(&out, ++link->last_id, method);
	json_out_text(&out, ",\"params\":{\"uri\":");
	json_out_span(&out, uri);
	json_out_text(&out, "}");
	if (lines_message_send(link, &out, NULL, false))
		link->n_late++;
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *upstream = arg;
	struct link *link = upstream->again_link;
	struct client client = { 0 };

	(void)fd;
	(void)what;
	if (link == NULL)
		return;
	if (upstream->capture != NULL) { /* after the one under way */
		const struct timeval delay = { 0, AGAIN_MS * 1000 };
		evtimer_add(upstream->again, &delay);
		return;
	}
	upstream->again_link = NULL;
	client.principal = link->principal;
	client.session = link->has_session ? link->session : NULL;
	client.can = link->can;
	client.era = link->era;
	if (capture_start(upstream, &client, link) != 0)
		log_line(LOG_ERROR, 0, "out of memory");
}

/* Soon, and once for many reasons. */
void
lines_lists_ask_again(struct link *link)
{
	const struct timeval delay = { 0, AGAIN_MS * 1000 };
	struct upstream *upstream = link->upstream;

	if (upstream->again_link != NULL)
		return;
	if (upstream->again == NULL)
		upstream->again =
		    evtimer_new(upstream->gateway->base, on_again, upstream);
	if (upstream->again == NULL ||
	    evtimer_add(upstream->again, &delay) != 0)
		return;
	upstream->again_link = link;
}

static void
uris_send(struct link *link)
{
	if (link->era == MCP_MODERN) {
		listen_send(link);
		return;
	}
	for (const struct uri *uri = link->uris; uri != NULL; uri = uri->next)
		subscribe_send(link, "resources/subscribe",
		    (struct json_span){ uri->json, uri->len });
}

static bool
is_only(const struct link *link)
{
	return link->upstream->links == link && link->next == NULL;
}

static void
link_ready(struct link *link, enum mcp_era era, struct json_span result)
{
	struct upstream *upstream = link->upstream;

	link->hello = malloc(result.len);
	if (link->hello == NULL) {
		link_end(link, UPSTREAM_OVER_BROKEN, false, "out of memory");
		return;
	}
	memcpy(link->hello, result.at, result.len);
	link->hello_len = result.len;
	link->era = era;
	link->stage = LINK_READY;
	upstream->verdict = era == MCP_MODERN ? VERDICT_MODERN : VERDICT_LEGACY;
	if (era == MCP_LEGACY)
		notification_send(
		    link, "notifications/initialized", (struct json_span){ 0 });
	life_ready(link);
	uris_send(link);
	/* While there was none, nothing was heard of changes. */
	if (upstream->surface != NULL && is_only(link))
		lines_lists_ask_again(link);
	lines_calls_send(link);
	if (link->greets && !link->is_dead && upstream->capture != NULL) {
		link->greets = false;
		capture_greeted(upstream->capture, era,
		    (struct json_span){ link->hello, link->hello_len });
	}
}

void
lines_greeting_take(
    struct link *link, struct json_span result, struct json_span error)
{
	struct json_want message = { .name = "message" },
			 version = { .name = "protocolVersion" };
	char text[160] = "";

	if (link->stage == LINK_CHECKING) { /* whatever it says: it is there */
		link->stage = LINK_READY;
		life_timer_set(link);
		lines_calls_send(link);
		return;
	}
	if (link->stage == LINK_PROBING) {
		if (json_kind_of(result) == JSON_KIND_OBJECT &&
		    behind_speaks_modern(result))
			link_ready(link, MCP_MODERN, result);
		else
			initialize_send(link);
		return;
	}
	if (json_kind_of(result) != JSON_KIND_OBJECT) {
		if (json_members_find(error, &message, 1) == 0)
			json_string_copy(
			    message.value, text, sizeof(text), NULL);
		link_end(link, UPSTREAM_OVER_BROKEN, false,
		    "the server refused initialize: %s", text);
		return;
	}
	if (json_members_find(result, &version, 1) != 0 ||
	    json_string_copy(version.value, text, sizeof(text), NULL) != 0 ||
	    !mcp_version_is_legacy(text))
		link_end(link, UPSTREAM_OVER_BROKEN, false,
		    "the server answered initialize with the version '%.32s', "
		    "which this host does not speak",
		    text);
	else
		link_ready(link, MCP_LEGACY, result);
}

/* It was slow, not silent: it did not know discover by its name alone. */
bool
lines_probe_take(struct link *link, struct json_span result)
{
	if (link->stage != LINK_GREETING ||
	    json_kind_of(result) != JSON_KIND_OBJECT ||
	    !behind_speaks_modern(result))
		return false;
	link->greet_id = 0; /* initialize, which will be refused */
	link_ready(link, MCP_MODERN, result);
	return true;
}

/* Legacy servers have ping; modern ones answer what they must know. */
void
lines_check(struct link *link)
{
	struct json_out out;

	link->stage = LINK_CHECKING;
	link->greet_id = ++link->last_id;
	lines_request_open(&out, link->greet_id,
	    link->era == MCP_MODERN ? "server/discover" : "ping");
	if (link->era == MCP_MODERN) {
		json_out_text(&out, ",\"params\":{");
		own_meta_write(&out);
		json_out_text(&out, "}");
	}
	lines_message_send(link, &out, NULL, false);
	link_timer_set(link, CHECK_MS);
}

static void
greeting_timeout(struct link *link)
{
	static const char *const what[] = {
		[LINK_OPENING] = "was not reached",
		[LINK_PROBING] = "did not answer server/discover",
		[LINK_GREETING] = "did not answer initialize",
	};
	const uint64_t passed = behind_now_ms() - link->start_ms;

	link_end(link, UPSTREAM_OVER_SILENT, false,
	    "the server %s within %llu s", what[link->stage],
	    (unsigned long long)(passed + 500) / 1000);
}

void
lines_timer(struct link *link)
{
	if (link->is_leaving) {
		link_left(link);
	} else if (link->stage == LINK_READY) {
		life_tick(link);
	} else if (link->stage == LINK_CHECKING) {
		link_end(link, UPSTREAM_OVER_SILENT, true,
		    "the server did not answer within %d s whether it is there",
		    CHECK_MS / 1000);
	} else if (link->stage == LINK_PROBING &&
	    life_stage_ms(link, GREETING_MS) > 0) {
		link->n_late++;
		initialize_send(link);
	} else {
		greeting_timeout(link);
	}
}

void
lines_notify(struct upstream *upstream, const struct client *client,
    const char *method, struct json_span params)
{
	struct link *link = link_find(upstream, client);

	if (link != NULL && link->stage >= LINK_READY &&
	    link->era == MCP_LEGACY)
		notification_send(link, method, params);
}

static struct uri **
uri_find(struct link *link, struct json_span uri)
{
	struct uri **at = &link->uris;

	while (*at != NULL &&
	    ((*at)->len != uri.len ||
		memcmp((*at)->json, uri.at, uri.len) != 0))
		at = &(*at)->next;
	return at;
}

static bool
uri_add(struct link *link, struct json_span uri)
{
	if (*uri_find(link, uri) != NULL || link->n_uris == LINK_URIS_MAX)
		return false;
	struct uri *copy = malloc(sizeof(*copy) + uri.len);
	if (copy == NULL)
		return false;
	*copy = (struct uri){ .next = link->uris, .len = uri.len };
	memcpy(copy->json, uri.at, uri.len);
	link->uris = copy;
	link->n_uris++;
	return true;
}

static bool
uri_remove(struct link *link, struct json_span uri)
{
	struct uri **at = uri_find(link, uri), *found = *at;

	if (found == NULL)
		return false;
	*at = found->next;
	link->n_uris--;
	free(found);
	return true;
}

void
lines_subscribe(struct upstream *upstream, const struct client *client,
    struct json_span uri, bool wanted)
{
	char why[256];
	struct link *link = wanted ? link_get(upstream, client, why)
				   : link_find(upstream, client);

	if (link == NULL ||
	    !(wanted ? uri_add(link, uri) : uri_remove(link, uri)))
		return;
	if (link->stage < LINK_READY)
		return; /* all are told once it is */
	if (link->era == MCP_MODERN)
		listen_send(link);
	else
		subscribe_send(link,
		    wanted ? "resources/subscribe" : "resources/unsubscribe",
		    uri);
}
