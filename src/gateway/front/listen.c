/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What servers say on their own: lists that changed, resources that did, log
 * messages. A listener is a session with a GET stream or subscriptions, or a
 * modern client's subscriptions/listen. Nothing is broadcast: each hears of
 * what its principal sees at its endpoint, and of what it asked for.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"
#include "json/edit.h"

#define URI_MAX 4097 /* decoded, with the NUL; no list has longer ones */
#define DEBOUNCE_MS 50

TAILQ_HEAD(watch_list, watch);

struct watch {
	TAILQ_ENTRY(watch) of_listener, of_subject;
	struct listener *listener;
	struct subject *subject;
};

/* A resource that somebody watches. */
struct subject {
	struct subject *next; /* in its bucket */
	struct server *server; /* held */
	struct watch_list watches;
	TAILQ_ENTRY(subject) link; /* front->orphans, if it has no holder */
	const struct watch *holder; /* by whose link the server was told */
	struct client
	    carrier; /* the same; its principal held. None: not told */
	uint8_t session[SEAL_ID_BYTES];
	char *inner; /* owned: the server's URI, a JSON string */
	char uri[]; /* decoded */
};

struct listener {
	TAILQ_ENTRY(listener) link;
	struct front *front;
	struct principal *principal; /* held */
	struct endpoint endpoint; /* the server held */
	struct call *call; /* a modern client's; or else */
	struct live *live;
	unsigned wants; /* UPSTREAM_… */
	unsigned pending;
	struct watch_list watches;
	unsigned n_watches;
};

static struct listener *
listener_new(struct front *front, struct principal *principal,
    const struct endpoint *endpoint)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->front = front;
	listener->principal = principal_ref(principal);
	listener->endpoint = *endpoint;
	if (endpoint->server != NULL)
		server_ref(endpoint->server);
	TAILQ_INIT(&listener->watches);
	TAILQ_INSERT_TAIL(&front->listeners, listener, link);
	return listener;
}

static struct subject **
bucket(struct front *front, const char *uri)
{
	uint32_t hash = 2166136261u;

	for (; *uri != '\0'; uri++)
		hash = (hash ^ (uint8_t)*uri) * 16777619u;
	return &front->subjects[hash % FRONT_GROUPS];
}

static struct subject *
subject_find(struct front *front, const struct server *server, const char *uri)
{
	struct subject *subject = *bucket(front, uri);

	while (subject != NULL &&
	    (subject->server != server || strcmp(subject->uri, uri) != 0))
		subject = subject->next;
	return subject;
}

static struct subject *
subject_new(struct front *front, struct server *server, const char *uri,
    const char *inner)
{
	const size_t size = strlen(uri) + 1;
	struct subject *subject = calloc(1, sizeof(*subject) + size);

	if (subject == NULL)
		return NULL;
	subject->inner = strdup(inner);
	if (subject->inner == NULL) {
		free(subject);
		return NULL;
	}
	memcpy(subject->uri, uri, size);
	subject->server = server_ref(server);
	TAILQ_INIT(&subject->watches);
	TAILQ_INSERT_TAIL(&front->orphans, subject, link);
	subject->next = *bucket(front, uri);
	*bucket(front, uri) = subject;
	return subject;
}

static struct json_span
inner_of(const struct subject *subject)
{
	return (struct json_span){ .at = subject->inner,
		.len = strlen(subject->inner) };
}

static struct client
client_of(const struct listener *listener)
{
	struct client client = { .principal = listener->principal };

	if (listener->call != NULL) {
		client.era = MCP_MODERN;
		client.can = listener->call->client.can;
	} else {
		client.era = MCP_LEGACY;
		client.can = listener->live->session->can;
		client.session = listener->live->session->id;
	}
	return client;
}

static void
server_untell(struct subject *subject, struct gateway *gateway)
{
	struct client *carrier = &subject->carrier;

	if (carrier->principal == NULL)
		return;
	upstream_subscribe(
	    gateway, subject->server, carrier, inner_of(subject), false);
	principal_unref(carrier->principal);
	*carrier = (struct client){ 0 };
}

static void
server_tell(struct subject *subject, struct gateway *gateway,
    const struct client *client)
{
	subject->carrier = *client;
	principal_ref(client->principal);
	if (client->session != NULL) {
		memcpy(subject->session, client->session,
		    sizeof(subject->session));
		subject->carrier.session = subject->session;
	}
	upstream_subscribe(gateway, subject->server, &subject->carrier,
	    inner_of(subject), true);
}

/* Whether what the server was told holds for this client, too: its link is the
 * same, or everybody's. */
static bool
is_carried(const struct subject *subject, const struct client *client)
{
	const uint32_t share = subject->server->record.launch.share;
	const struct client *carrier = &subject->carrier;

	if (share == WIRE_SHARE_ALL)
		return carrier->principal != NULL;
	if (carrier->principal != client->principal ||
	    carrier->can != client->can)
		return false;
	if (share != WIRE_SHARE_SESSION)
		return true;
	return carrier->session == NULL || client->session == NULL
	    ? carrier->session == client->session
	    : memcmp(carrier->session, client->session,
		  sizeof(subject->session)) == 0;
}

static void
subject_hold(struct subject *subject, const struct watch *watch)
{
	struct front *front = watch->listener->front;
	const struct client client = client_of(watch->listener);

	TAILQ_REMOVE(&front->orphans, subject, link);
	subject->holder = watch;
	if (is_carried(subject, &client))
		return;
	server_untell(subject, front->gateway);
	server_tell(subject, front->gateway, &client);
}

/* Its next holder is found from the loop: links may end for it. */
static void
subject_orphan(struct subject *subject, struct front *front)
{
	static const struct timeval now = { 0 };

	if (subject->holder != NULL)
		TAILQ_INSERT_TAIL(&front->orphans, subject, link);
	subject->holder = NULL;
	event_add(front->flush, &now);
}

/* Those of servers that may not be called now stay. */
static void
orphans_place(struct front *front)
{
	struct subject *subject, *next;
	const struct watch *watch;

	for (subject = TAILQ_FIRST(&front->orphans); subject != NULL;
	     subject = next) {
		next = TAILQ_NEXT(subject, link);
		if (subject->server->record.state != WIRE_STATE_APPROVED)
			continue;
		TAILQ_FOREACH (watch, &subject->watches, of_subject)
			if (registry_sees(
				watch->listener->principal, subject->server))
				break;
		if (watch != NULL)
			subject_hold(subject, watch);
		else
			server_untell(subject, front->gateway);
	}
}

void
front_subscriptions_lost(struct gateway *gateway, const struct server *server)
{
	struct front *front = gateway->front;

	for (size_t i = 0; front != NULL && i < FRONT_GROUPS; i++)
		for (struct subject *subject = front->subjects[i];
		     subject != NULL; subject = subject->next)
			if (subject->server == server) {
				server_untell(subject, gateway);
				subject_orphan(subject, front);
			}
}

static void
subject_free(struct subject *subject, struct front *front)
{
	struct subject **at = bucket(front, subject->uri);

	server_untell(subject, front->gateway);
	if (subject->holder == NULL)
		TAILQ_REMOVE(&front->orphans, subject, link);
	while (*at != subject)
		at = &(*at)->next;
	*at = subject->next;
	server_unref(subject->server);
	free(subject->inner);
	free(subject);
}

static void
watch_free(struct watch *watch)
{
	struct listener *listener = watch->listener;
	struct subject *subject = watch->subject;

	TAILQ_REMOVE(&listener->watches, watch, of_listener);
	TAILQ_REMOVE(&subject->watches, watch, of_subject);
	listener->n_watches--;
	if (TAILQ_EMPTY(&subject->watches))
		subject_free(subject, listener->front);
	else if (subject->holder == watch)
		subject_orphan(subject, listener->front);
	free(watch);
}

static struct watch *
watch_find(const struct listener *listener, const struct server *server,
    const char *uri)
{
	struct watch *watch;

	TAILQ_FOREACH (watch, &listener->watches, of_listener)
		if (watch->subject->server == server &&
		    strcmp(watch->subject->uri, uri) == 0)
			return watch;
	return NULL;
}

static bool
uri_decode(const char *inner, size_t len, char uri[URI_MAX])
{
	const struct json_span span = { .at = inner, .len = len };

	return json_string_copy(span, uri, URI_MAX, NULL) == 0;
}

int
listen_watch(
    struct listener *listener, struct server *server, const char *inner)
{
	struct front *front = listener->front;
	char uri[URI_MAX];

	if (!uri_decode(inner, strlen(inner), uri) ||
	    listener->n_watches >= FRONT_WATCHES_MAX)
		return LISTEN_E_FULL;
	if (watch_find(listener, server, uri) != NULL)
		return 0;
	struct subject *subject = subject_find(front, server, uri);
	struct watch *watch = calloc(1, sizeof(*watch));
	if (watch != NULL && subject == NULL)
		subject = subject_new(front, server, uri, inner);
	if (watch == NULL || subject == NULL) {
		free(watch);
		return -ENOMEM;
	}
	watch->listener = listener;
	watch->subject = subject;
	TAILQ_INSERT_TAIL(&listener->watches, watch, of_listener);
	TAILQ_INSERT_TAIL(&subject->watches, watch, of_subject);
	listener->n_watches++;
	if (subject->holder == NULL)
		subject_hold(subject, watch);
	return 0;
}

void
listen_unwatch(
    struct listener *listener, struct server *server, const char *inner)
{
	struct watch *watch;
	char uri[URI_MAX];

	if (!uri_decode(inner, strlen(inner), uri))
		return;
	watch = watch_find(listener, server, uri);
	if (watch != NULL)
		watch_free(watch);
}

bool
listen_is_idle(const struct listener *listener)
{
	return listener->n_watches == 0;
}

struct listener *
listen_free(struct listener *listener)
{
	if (listener == NULL)
		return NULL;
	while (!TAILQ_EMPTY(&listener->watches))
		watch_free(TAILQ_FIRST(&listener->watches));
	TAILQ_REMOVE(&listener->front->listeners, listener, link);
	if (listener->call != NULL)
		listener->front->n_streams--;
	if (listener->endpoint.server != NULL)
		server_unref(listener->endpoint.server);
	principal_unref(listener->principal);
	free(listener);
	return NULL;
}

struct listener *
listen_session(
    struct front *front, struct live *live, const struct visit *visit)
{
	struct listener *listener = live->listener;

	if (listener != NULL)
		return listener;
	listener = listener_new(front, visit->principal, &visit->endpoint);
	if (listener == NULL)
		return NULL;
	listener->live = live;
	listener->wants =
	    UPSTREAM_TOOLS | UPSTREAM_PROMPTS | UPSTREAM_RESOURCES;
	live->listener = listener;
	return listener;
}

/* One notification; params an object, or empty. */
static void
tell(const struct listener *listener, const char *method,
    struct json_span params)
{
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	json_out_text(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	json_out_text(&out, method);
	json_out_text(&out, "\"");
	if (listener->call != NULL) {
		struct json_want want = { .name = "_meta" };
		struct json_out meta;
		json_members_find(params, &want, 1);
		json_out_init(&meta, FRONT_MESSAGE_MAX);
		const struct json_edit id = { MCP_META_SUBSCRIPTION,
			listener->call->message.id };
		json_edit_write(&meta,
		    json_kind_of(want.value) == JSON_KIND_OBJECT
			? want.value
			: (struct json_span){ 0 },
		    &id, 1);
		const struct json_edit edit = { "_meta",
			{ .at = meta.bytes, .len = meta.len } };
		json_out_text(&out, ",\"params\":");
		json_edit_write(&out, params, &edit, 1);
		json_out_fini(&meta);
	} else if (params.at != NULL) {
		json_out_text(&out, ",\"params\":");
		json_out_span(&out, params);
	}
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0 && listener->call != NULL)
		item_send(listener->call->item, out.bytes, out.len);
	else if (json_out_status(&out) == 0 && listener->live->get != NULL)
		stream_send(listener->live->get, out.bytes, out.len);
	json_out_fini(&out);
}

/* The same of one server's own words. */
static void
tell_shown(const struct listener *listener, const struct server *server,
    const char *method, struct json_span params)
{
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	catalog_result_write(listener->front->gateway, &listener->endpoint,
	    server, method, params, &out);
	if (json_out_status(&out) == 0)
		tell(listener, method,
		    (struct json_span){ .at = out.bytes, .len = out.len });
	json_out_fini(&out);
}

static bool
is_at(const struct listener *listener, const struct server *server)
{
	return listener->endpoint.server == NULL
	    ? listener->endpoint.tenant == server->tenant
	    : listener->endpoint.server == server;
}

static void
flush_soon(struct front *front)
{
	static const struct timeval soon = { .tv_usec = DEBOUNCE_MS * 1000 };

	if (!event_pending(front->flush, EV_TIMEOUT, NULL))
		event_add(front->flush, &soon);
}

void
listen_changed(struct front *front, const struct principal *principal)
{
	struct listener *listener;

	TAILQ_FOREACH (listener, &front->listeners, link)
		if (listener->principal == principal)
			listener->pending = listener->wants;
	flush_soon(front);
}

/* One that has just gone out of sight has changed the lists too. */
void
front_changed(struct gateway *gateway, struct server *server, unsigned what)
{
	struct front *front = gateway->front;
	struct listener *listener;

	if (front == NULL)
		return;
	const bool is_out =
	    server->gone || server->record.state != WIRE_STATE_APPROVED;
	TAILQ_FOREACH (listener, &front->listeners, link)
		if (is_at(listener, server) &&
		    (is_out || registry_sees(listener->principal, server)))
			listener->pending |= what & listener->wants;
	flush_soon(front);
}

void
listen_flush(struct front *front)
{
	static const struct {
		unsigned what;
		const char *method;
	} changes[] = {
		{ UPSTREAM_TOOLS, "notifications/tools/list_changed" },
		{ UPSTREAM_PROMPTS, "notifications/prompts/list_changed" },
		{ UPSTREAM_RESOURCES, "notifications/resources/list_changed" },
	};
	struct listener *listener;

	orphans_place(front);
	TAILQ_FOREACH (listener, &front->listeners, link) {
		for (size_t i = 0; i < ARRAY_LEN(changes); i++)
			if ((listener->pending & changes[i].what) != 0)
				tell(listener, changes[i].method,
				    (struct json_span){ 0 });
		listener->pending = 0;
	}
}

void
front_resource_updated(struct gateway *gateway, struct server *server,
    struct json_span uri, struct json_span params)
{
	struct front *front = gateway->front;
	const struct subject *subject = NULL;
	const struct watch *watch;
	char text[URI_MAX];

	if (front != NULL && uri_decode(uri.at, uri.len, text))
		subject = subject_find(front, server, text);
	if (subject == NULL)
		return;
	TAILQ_FOREACH (watch, &subject->watches, of_subject)
		if (registry_sees(watch->listener->principal, server))
			tell_shown(watch->listener, server,
			    "notifications/resources/updated", params);
}

void
front_log(struct gateway *gateway, struct server *server,
    const struct principal *principal, struct json_span params)
{
	struct json_want want = { .name = "level" };
	const struct listener *listener;

	json_members_find(params, &want, 1);
	const int level = mcp_level_read(want.value);
	if (principal == NULL || gateway->front == NULL) {
		server_log(server, LOG_INFO, 0, params.at, params.len);
		return;
	}
	TAILQ_FOREACH (listener, &gateway->front->listeners, link)
		if (listener->live != NULL &&
		    listener->principal == principal &&
		    is_at(listener, server) && level >= 0 &&
		    level >= listener->live->session->level)
			tell_shown(
			    listener, server, "notifications/message", params);
}

static void
honour(struct listener *listener, struct json_span filter, const char *name,
    unsigned what, struct json_out *out)
{
	struct json_want want = { .name = name };

	if (json_members_find(filter, &want, 1) != 0 ||
	    !json_value_is_true(want.value))
		return;
	listener->wants |= what;
	json_out_text(out, out->len > 1 ? ",\"" : "\"");
	json_out_text(out, name);
	json_out_text(out, "\":true");
}

/* Those of the resources that there are. */
static void
honour_resources(struct listener *listener, const struct client *client,
    struct json_span filter, struct json_out *out)
{
	struct front *front = listener->front;
	struct json_want want = { .name = "resourceSubscriptions" };
	struct catalog_entry entry;
	struct json_span uri;
	struct json_iter iter;
	const char *comma = "";
	unsigned n_asked = 0;

	json_members_find(filter, &want, 1);
	if (json_kind_of(want.value) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, want.value) != 0)
		return;
	json_out_text(out, out->len > 1 ? "," : "");
	json_out_text(out, "\"resourceSubscriptions\":[");
	/* Each is looked for in all lists: also of those that are not there,
	 * no more than can be watched. */
	while (
	    n_asked++ < FRONT_WATCHES_MAX && json_iter_element(&iter, &uri)) {
		if (json_kind_of(uri) != JSON_KIND_STRING ||
		    catalog_find(front->gateway, &listener->endpoint, client,
			CATALOG_RESOURCES, uri, &entry) != 0)
			continue;
		if (listen_watch(listener, entry.server, entry.inner) == 0) {
			json_out_text(out, comma);
			json_out_span(out, uri);
			comma = ",";
		}
		free(entry.inner);
	}
	json_out_text(out, "]");
}

static void
refuse(struct call *call, unsigned status, int code, const char *sentence)
{
	struct mcp_error error;

	mcp_error_set(&error, status, code, "%s", sentence);
	call_refuse(call, &error);
}

/* First of all the client is told what of its wishes it gets. */
static bool
acknowledge(struct listener *listener, struct json_span filter)
{
	struct call *call = listener->call;
	struct json_out honoured, params;

	json_out_init(&honoured, FRONT_MESSAGE_MAX);
	json_out_text(&honoured, "{");
	honour(listener, filter, "toolsListChanged", UPSTREAM_TOOLS, &honoured);
	honour(listener, filter, "promptsListChanged", UPSTREAM_PROMPTS,
	    &honoured);
	honour(listener, filter, "resourcesListChanged", UPSTREAM_RESOURCES,
	    &honoured);
	honour_resources(listener, &call->client, filter, &honoured);
	json_out_text(&honoured, "}");
	json_out_init(&params, FRONT_MESSAGE_MAX);
	json_out_text(&params, "{\"notifications\":");
	json_out_raw(&params, honoured.bytes, honoured.len);
	json_out_text(&params, "}");
	if (json_out_status(&params) == 0)
		tell(listener, "notifications/subscriptions/acknowledged",
		    (struct json_span){
			.at = params.bytes, .len = params.len });
	json_out_fini(&honoured);
	json_out_fini(&params);
	return call->item->exchange->stream != NULL;
}

void
listen_start(struct call *call)
{
	const struct json_span filter = call_param(call, "notifications");
	struct front *front = call->front;

	if (json_kind_of(filter) != JSON_KIND_OBJECT) {
		refuse(call, 400, MCP_INVALID_PARAMS,
		    "Invalid params: notifications must be an object");
		return;
	}
	call->listener =
	    listener_new(front, call->client.principal, &call->endpoint);
	if (call->listener == NULL) {
		refuse(call, 503, MCP_INTERNAL_ERROR, "out of memory");
		return;
	}
	call->listener->call = call;
	front->n_streams++;
	if (!acknowledge(call->listener, filter))
		refuse(call, 406, MCP_INVALID_REQUEST,
		    "Invalid request: subscriptions/listen answers with "
		    "events; send Accept: text/event-stream");
}

/* The subscription's own end. */
static void
finish(struct call *call)
{
	struct json_out *out;

	call->listener = listen_free(call->listener);
	out = call_reply_open(call);
	json_out_text(out,
	    "{\"resultType\":\"complete\",\"_meta\":{\"" MCP_META_SUBSCRIPTION
	    "\":");
	json_out_span(out, call->message.id);
	json_out_text(out, "}}");
	call_reply_close(call);
}

void
listen_stop(struct front *front)
{
	struct listener *listener, *next;

	for (listener = TAILQ_FIRST(&front->listeners); listener != NULL;
	     listener = next) {
		next = TAILQ_NEXT(listener, link);
		if (listener->call != NULL)
			finish(listener->call);
	}
}
