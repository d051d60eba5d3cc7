/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an endpoint offers. A single server is its own surface; the aggregate is
 * made anew of the surfaces that are known, each time it is asked for: elements
 * are copied as they are, but for the names.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/log.h"
#include "json/edit.h"
#include "mcp/names.h"

#define NEED_MS 2000 /* a server slower than that comes later */
#define EARLY_MS 20 /* a timer counts from when its loop last woke */
#define INNER_MAX (1u << 20)

static const enum mcp_list lists[] = {
	[CATALOG_TOOLS] = MCP_TOOLS,
	[CATALOG_PROMPTS] = MCP_PROMPTS,
	[CATALOG_RESOURCES] = MCP_RESOURCES,
	[CATALOG_TEMPLATES] = MCP_TEMPLATES,
};

/* Servers of an endpoint that this client sees, one after the other. */
static struct server *
next_server(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, const struct server *last)
{
	if (endpoint->server != NULL)
		return last == NULL ? endpoint->server : NULL;
	return registry_next(gateway, client->principal, last);
}

/* A surface that was asked for. It may come after the need is over, and is
 * then announced. */
struct part {
	struct need *need; /* NULL: it went on without it */
	struct gateway *gateway;
	struct server *server; /* held */
	struct part *next; /* of the need */
};

struct need {
	struct need *next; /* of all */
	struct gateway *gateway;
	bool is_aggregate;
	catalog_fn *fn; /* NULL: forgotten */
	void *arg;
	struct part *parts; /* still to come */
	struct event *deadline; /* NULL: none was needed */
};

/* This process's needs under way. */
static struct need *needs;

static void
need_free(struct need *need)
{
	struct need **at = &needs;

	while (*at != NULL && *at != need)
		at = &(*at)->next;
	if (*at != NULL)
		*at = need->next;
	for (struct part *part = need->parts; part != NULL; part = part->next)
		part->need = NULL;
	if (need->deadline != NULL)
		event_free(need->deadline);
	free(need);
}

static void
need_finish(struct need *need, const struct upstream_answer *failure)
{
	catalog_fn *fn = need->fn;
	void *arg = need->arg;

	need_free(need);
	fn(arg, failure);
}

static void
part_leave(struct part *part)
{
	struct part **at = &part->need->parts;

	while (*at != part)
		at = &(*at)->next;
	*at = part->next;
}

static void
on_surface(void *arg, const struct mcp_surface *surface,
    const struct upstream_answer *failure)
{
	struct part *part = arg;
	struct need *need = part->need;

	if (need == NULL) {
		if (surface != NULL)
			front_changed(part->gateway, part->server,
			    UPSTREAM_TOOLS | UPSTREAM_PROMPTS |
				UPSTREAM_RESOURCES);
	} else {
		part_leave(part);
		if (!need->is_aggregate && failure != NULL)
			need_finish(need, failure);
		else if (need->parts == NULL)
			need_finish(need, NULL);
	}
	server_unref(part->server);
	free(part);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct need *need = arg;

	(void)fd;
	(void)what;
	for (struct part *part = need->parts; part != NULL; part = part->next)
		log_line(LOG_INFO, 0,
		    "server %s is slow to say what it offers: lists go out "
		    "without it",
		    part->server->name);
	need_finish(need, NULL);
}

/* Whether the endpoint's lists wait for it. One that was slow for somebody else
 * is waited for no longer: it is announced when it comes. */
static bool
is_wanted(const struct endpoint *endpoint, const struct server *server)
{
	const struct upstream *upstream = server->upstream;

	if (upstream == NULL)
		return true;
	if (upstream->surface != NULL)
		return false;
	return endpoint->server != NULL || upstream->capture == NULL ||
	    behind_now_ms() - upstream->capture_ms < NEED_MS - EARLY_MS;
}

static int
part_start(
    struct need *need, struct server *server, const struct client *client)
{
	struct part *part = calloc(1, sizeof(*part));

	if (part == NULL)
		return -ENOMEM;
	*part = (struct part){ .need = need,
		.gateway = need->gateway,
		.server = server_ref(server),
		.next = need->parts };
	need->parts = part;
	const int r = upstream_surface_get(
	    need->gateway, server, client, on_surface, part);
	if (r == 0)
		return 0;
	part_leave(part);
	server_unref(part->server);
	free(part);
	return r;
}

static int
parts_start(struct need *need, const struct endpoint *endpoint,
    const struct client *client)
{
	struct server *server = NULL;
	int r = 0;

	while (r == 0 &&
	    (server = next_server(need->gateway, endpoint, client, server)) !=
		NULL)
		if (is_wanted(endpoint, server))
			r = part_start(need, server, client);
	return r;
}

static bool
all_known(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client)
{
	struct server *server = NULL;

	while (
	    (server = next_server(gateway, endpoint, client, server)) != NULL)
		if (is_wanted(endpoint, server))
			return false;
	return true;
}

static int
deadline_set(struct need *need)
{
	static const struct timeval patience = { NEED_MS / 1000,
		NEED_MS % 1000 * 1000 };

	need->deadline = evtimer_new(need->gateway->base, on_deadline, need);
	if (need->deadline == NULL ||
	    evtimer_add(need->deadline, &patience) != 0)
		return -ENOMEM;
	return 0;
}

static int
need_start(struct need *need, const struct endpoint *endpoint,
    const struct client *client)
{
	int r;

	r = parts_start(need, endpoint, client);
	if (r == 0 && need->is_aggregate && need->parts != NULL)
		r = deadline_set(need);
	return r;
}

int
catalog_need(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, catalog_fn *fn, void *arg)
{
	if (all_known(gateway, endpoint, client)) {
		fn(arg, NULL);
		return 0;
	}
	struct need *need = calloc(1, sizeof(*need));
	if (need == NULL)
		return -ENOMEM;
	*need = (struct need){ .next = needs,
		.gateway = gateway,
		.is_aggregate = endpoint->server == NULL,
		.fn = fn,
		.arg = arg };
	needs = need;
	const int r = need_start(need, endpoint, client);
	if (r != 0)
		need_free(need);
	return r;
}

void
catalog_forget(struct gateway *gateway, catalog_fn *fn, void *arg)
{
	struct need *next;

	for (struct need *need = needs; need != NULL; need = next) {
		next = need->next;
		if (need->gateway == gateway && need->fn == fn &&
		    need->arg == arg)
			need_free(need);
	}
}

static void
name_write(struct json_out *out, const struct server *server,
    const struct mcp_element *element)
{
	char joined[MCP_JOINED_MAX + 1];

	mcp_name_join(server->name, element->name, joined);
	json_out_string(out, joined, strlen(joined));
}

/* One element of the aggregate: but for its name as it came. */
static void
element_write(struct json_out *out, const struct server *server,
    enum mcp_list list, const struct mcp_element *element)
{
	static const char *const keys[] = { "name", "name", "uri",
		"uriTemplate" };
	struct json_want want = { .name = keys[list] };
	struct json_out name;

	json_out_init(&name, INNER_MAX);
	if (list == MCP_TOOLS || list == MCP_PROMPTS)
		name_write(&name, server, element);
	else if (json_members_find(element->json, &want, 1) == 0)
		mcp_uri_join(&name, server->name, want.value);
	const struct json_edit edit = { keys[list], { name.bytes, name.len } };
	if (json_out_status(&name) == 0)
		json_edit_write(out, element->json, &edit, 1);
	else
		out->status = json_out_status(&name);
	json_out_fini(&name);
}

static void
elements_write(struct json_out *out, const struct server *server,
    const struct mcp_surface *surface, enum mcp_list list)
{
	const struct mcp_elements *elements = &surface->lists[list];

	for (size_t i = 0; i < elements->n; i++) {
		/* Behind the bracket, or the brace of the one before. */
		json_out_text(out, out->bytes[out->len - 1] == '[' ? "" : ",");
		element_write(out, server, list, &elements->items[i]);
	}
}

void
catalog_list_write(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_out *out)
{
	struct server *server = NULL;

	if (endpoint->server != NULL) {
		const struct mcp_surface *surface =
		    upstream_surface_known(endpoint->server);
		if (surface == NULL)
			json_out_text(out, "[]");
		else
			mcp_surface_list_write(surface, lists[kind], out);
		return;
	}
	json_out_text(out, "[");
	while (
	    (server = next_server(gateway, endpoint, client, server)) != NULL) {
		const struct mcp_surface *surface =
		    upstream_surface_known(server);
		if (surface != NULL && json_out_status(out) == 0)
			elements_write(out, server, surface, lists[kind]);
	}
	json_out_text(out, "]");
}

void
catalog_info_write(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, struct json_out *out)
{
	const struct mcp_surface *surface = endpoint->server == NULL
	    ? NULL
	    : upstream_surface_known(endpoint->server);

	(void)gateway;
	(void)client;
	if (surface != NULL) {
		json_out_span(out, surface->info);
		return;
	}
	json_out_text(
	    out, "{\"name\":\"cordon\",\"version\":\"" CORDON_VERSION "\"}");
}

/* What the host does in every server's stead. */
static void
single_capabilities_write(
    const struct mcp_surface *surface, struct json_out *out)
{
	struct json_edit edits[4];
	size_t n = 0;

	/* A bundle that is a fresh cell each time cannot tell of changes. */
	if (surface->is_fetch) {
		static const char *const keys[] = { "tools", "prompts",
			"resources" };
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (mcp_surface_can(surface, keys[i], NULL))
				edits[n++] =
				    (struct json_edit){ keys[i], { "{}", 2 } };
	}
	json_edit_write(out, surface->capabilities, edits, n);
}

/* What the aggregate can: whatever one of its servers can. */
static void
joint_capabilities_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct client *client,
    struct json_out *out)
{
	static const struct {
		const char *name;
		const char *value;
	} joint[] = {
		{ "prompts", "{\"listChanged\":true}" },
		{ "resources", "{\"subscribe\":true,\"listChanged\":true}" },
		{ "completions", "{}" },
		{ "logging", "{}" },
	};
	struct server *server = NULL;
	unsigned can = 0;

	while (
	    (server = next_server(gateway, endpoint, client, server)) != NULL) {
		const struct mcp_surface *surface =
		    upstream_surface_known(server);
		for (size_t i = 0; surface != NULL && i < ARRAY_LEN(joint); i++)
			if (mcp_surface_can(surface, joint[i].name, NULL))
				can |= 1u << i;
	}
	json_out_text(out, "{\"tools\":{\"listChanged\":true}");
	for (size_t i = 0; i < ARRAY_LEN(joint); i++) {
		if ((can & 1u << i) == 0)
			continue;
		json_out_text(out, ",\"");
		json_out_text(out, joint[i].name);
		json_out_text(out, "\":");
		json_out_text(out, joint[i].value);
	}
	json_out_text(out, "}");
}

void
catalog_capabilities_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct client *client,
    struct json_out *out)
{
	const struct mcp_surface *surface = endpoint->server == NULL
	    ? NULL
	    : upstream_surface_known(endpoint->server);

	if (surface != NULL)
		single_capabilities_write(surface, out);
	else
		joint_capabilities_write(gateway, endpoint, client, out);
}

bool
catalog_instructions_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct client *client,
    struct json_out *out)
{
	const struct mcp_surface *surface = endpoint->server == NULL
	    ? NULL
	    : upstream_surface_known(endpoint->server);

	(void)gateway;
	(void)client;
	/* Those of one server among many would speak of names that here are
	 * others. */
	if (surface == NULL || surface->instructions.at == NULL)
		return false;
	json_out_span(out, surface->instructions);
	return true;
}

/* The name as JSON, which becomes the entry's. */
static int
inner_set(struct catalog_entry *entry, struct json_out *inner)
{
	size_t len;

	if (inner->len == 0 && json_out_status(inner) == 0)
		return -ENOMEM;
	json_out_raw(inner, "", 1);
	entry->inner = json_out_steal(inner, &len);
	return entry->inner == NULL ? -ENOMEM : 0;
}

static int
entry_set(struct catalog_entry *entry, struct server *server,
    const struct mcp_element *element, struct json_span name)
{
	struct json_out inner;

	json_out_init(&inner, INNER_MAX);
	json_out_span(&inner, name);
	struct catalog_entry found = { .server = server };
	if (element != NULL)
		found.element = element->json;
	const int r = inner_set(&found, &inner);
	json_out_fini(&inner);
	if (r == 0)
		*entry = found;
	return r;
}

static int
found_set(struct catalog_entry *entry, struct server *server,
    const struct mcp_element *element)
{
	struct json_out name;

	json_out_init(&name, INNER_MAX);
	json_out_string(&name, element->name, strlen(element->name));
	const int r = entry_set(
	    entry, server, element, (struct json_span){ name.bytes, name.len });
	json_out_fini(&name);
	return r;
}

static int
single_find(const struct endpoint *endpoint, enum catalog_kind kind,
    struct json_span name, struct catalog_entry *entry)
{
	const struct mcp_surface *surface =
	    upstream_surface_known(endpoint->server);
	const struct mcp_element *element = NULL;

	if (surface != NULL && kind != CATALOG_TASKS)
		element = mcp_surface_find_raw(surface, lists[kind], name);
	if (element == NULL &&
	    (kind == CATALOG_TOOLS || kind == CATALOG_PROMPTS))
		return CATALOG_E_UNKNOWN;
	return entry_set(entry, endpoint->server, element, name);
}

/* A name with a hash: whoever's joined name is this one. */
static int
hashed_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum mcp_list list, const char *joined,
    struct catalog_entry *entry)
{
	const struct mcp_element *found = NULL;
	struct server *server = NULL, *owner = NULL;
	char name[MCP_JOINED_MAX + 1];

	while (
	    (server = next_server(gateway, endpoint, client, server)) != NULL) {
		const struct mcp_surface *surface =
		    upstream_surface_known(server);
		const size_t n = surface == NULL ? 0 : surface->lists[list].n;
		for (size_t i = 0; i < n; i++) {
			const struct mcp_element *element =
			    &surface->lists[list].items[i];
			mcp_name_join(server->name, element->name, name);
			if (strcmp(name, joined) != 0)
				continue;
			if (found != NULL)
				return CATALOG_E_AMBIGUOUS;
			found = element;
			owner = server;
		}
	}
	return found == NULL ? CATALOG_E_UNKNOWN
			     : found_set(entry, owner, found);
}

static struct server *
seen_server(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, const char *name)
{
	struct server *server =
	    registry_server_find(gateway, endpoint->tenant, name);

	return server != NULL && registry_sees(client->principal, server)
	    ? server
	    : NULL;
}

static int
joined_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum mcp_list list, struct json_span name,
    struct catalog_entry *entry)
{
	char joined[MCP_JOINED_MAX + 1], again[MCP_JOINED_MAX + 1];
	char server_name[MCP_SERVER_NAME_MAX];
	const char *inner;

	if (json_string_copy(name, joined, sizeof(joined), NULL) != 0)
		return CATALOG_E_UNKNOWN;
	if (!mcp_name_split(joined, server_name, &inner))
		return hashed_find(
		    gateway, endpoint, client, list, joined, entry);
	struct server *server =
	    seen_server(gateway, endpoint, client, server_name);
	const struct mcp_surface *surface =
	    server == NULL ? NULL : upstream_surface_known(server);
	const struct mcp_element *element =
	    surface == NULL ? NULL : mcp_surface_find(surface, list, inner);
	if (element == NULL)
		return CATALOG_E_UNKNOWN;
	mcp_name_join(server->name, element->name, again);
	return strcmp(again, joined) == 0 ? found_set(entry, server, element)
					  : CATALOG_E_UNKNOWN;
}

/* A ui:// URI: the server whose tool names it as its UI, which need not list
 * it; if there is none, whoever lists it. */
static int
kept_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum mcp_list list, struct json_span uri,
    struct catalog_entry *entry)
{
	const struct mcp_element *found = NULL;
	struct server *server = NULL, *owner = NULL;
	bool is_named = false, is_ambiguous = false;

	while (
	    (server = next_server(gateway, endpoint, client, server)) != NULL) {
		const struct mcp_surface *surface =
		    upstream_surface_known(server);
		if (surface == NULL)
			continue;
		const struct mcp_element *element =
		    mcp_surface_find_raw(surface, list, uri);
		const bool names = mcp_surface_has_ui(surface, uri);
		if ((element == NULL && !names) || (is_named && !names))
			continue;
		is_ambiguous = owner != NULL && names == is_named;
		is_named = names;
		found = element;
		owner = server;
	}
	if (is_ambiguous)
		return CATALOG_E_AMBIGUOUS;
	return owner == NULL ? CATALOG_E_UNKNOWN
			     : entry_set(entry, owner, found, uri);
}

static int
uri_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_span uri,
    struct catalog_entry *entry)
{
	char server_name[MCP_SERVER_NAME_MAX];
	struct json_out inner;
	int r = CATALOG_E_UNKNOWN;

	json_out_init(&inner, INNER_MAX);
	if (mcp_uri_split(uri, server_name, &inner)) {
		struct server *server =
		    seen_server(gateway, endpoint, client, server_name);
		const struct json_span name = { inner.bytes, inner.len };
		const struct mcp_surface *surface =
		    server == NULL ? NULL : upstream_surface_known(server);
		const struct mcp_element *element =
		    surface == NULL || kind == CATALOG_TASKS
		    ? NULL
		    : mcp_surface_find_raw(surface, lists[kind], name);
		if (server != NULL)
			r = json_out_status(&inner) != 0
			    ? -ENOMEM
			    : entry_set(entry, server, element, name);
	}
	json_out_fini(&inner);
	return r;
}

int
catalog_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_span name,
    struct catalog_entry *entry)
{
	if (json_kind_of(name) != JSON_KIND_STRING)
		return CATALOG_E_UNKNOWN;
	if (endpoint->server != NULL)
		return single_find(endpoint, kind, name, entry);
	if (kind == CATALOG_TOOLS || kind == CATALOG_PROMPTS)
		return joined_find(
		    gateway, endpoint, client, lists[kind], name, entry);
	if (kind != CATALOG_TASKS && mcp_uri_is_kept(name))
		return kept_find(
		    gateway, endpoint, client, lists[kind], name, entry);
	return uri_find(gateway, endpoint, client, kind, name, entry);
}

/* {"type": "ref/…", "name" or "uri"}, with the entry's own. */
static int
ref_write(struct json_out *out, struct json_span ref, struct json_span inner)
{
	const bool is_prompt_name = json_kind_of(ref) == JSON_KIND_OBJECT;
	struct json_want want = { .name = "name" };

	if (!is_prompt_name)
		return JSON_E_TYPE;
	json_members_find(ref, &want, 1);
	const struct json_edit edit = { want.value.at != NULL ? "name" : "uri",
		inner };
	return json_edit_write(out, ref, &edit, 1);
}

int
catalog_params_write(struct json_out *out, struct json_span params,
    const char *member, const struct catalog_entry *entry)
{
	struct json_edit edit = { member,
		{ entry->inner, strlen(entry->inner) } };
	struct json_want ref = { .name = "ref" };
	struct json_out edited;

	if (strcmp(member, "ref") != 0)
		return json_edit_write(out, params, &edit, 1);
	json_out_init(&edited, INNER_MAX);
	json_members_find(params, &ref, 1);
	int r = ref_write(&edited, ref.value, edit.value);
	if (r == 0)
		r = json_out_status(&edited);
	edit.value = (struct json_span){ edited.bytes, edited.len };
	if (r == 0)
		r = json_edit_write(out, params, &edit, 1);
	json_out_fini(&edited);
	return r;
}

void
catalog_result_write(struct gateway *gateway, const struct endpoint *endpoint,
    const struct server *server, const char *method, struct json_span result,
    struct json_out *out)
{
	(void)gateway;
	if (endpoint->server != NULL)
		json_out_span(out, result);
	else
		mcp_result_join(out, server->name, method, result);
}
