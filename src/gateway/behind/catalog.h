/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an endpoint offers, and how its names map to servers. /s/NAME/mcp is one
 * server, nothing renamed. /mcp is all that its principal sees: tools and
 * prompts as server__name, resources as cordon:server/URI; both are reversible,
 * deterministic, and independent of what else is there. Names are at most 64
 * of [A-Za-z0-9_.-]; longer or other ones end in a hash of the whole.
 *
 * The pure part (names, URIs, rewriting of results) is mcp/names.h.
 */

#include "gateway/behind/upstream.h"
#include "json/out.h"

struct endpoint {
	struct tenant *tenant;
	struct server *server; /* NULL: the aggregate */
};

enum catalog_kind {
	CATALOG_TOOLS,
	CATALOG_PROMPTS,
	CATALOG_RESOURCES,
	CATALOG_TEMPLATES,
	CATALOG_TASKS, /* ids: found by their prefix alone, never listed */
};

/*
 * Makes sure that the surfaces of the endpoint are known. A server that fails
 * or is slow (a deadline) is left out of the aggregate, which is told later by
 * front_changed(); of a single server it is the answer's failure. The callback
 * may come from inside; it gets `arg`, and NULL or why.
 */
typedef void catalog_fn(void *arg, const struct upstream_answer *failure);
int catalog_need(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, catalog_fn *fn, void *arg);
void catalog_forget(struct gateway *gateway, catalog_fn *fn, void *arg);

/* Appends the array, elements as they came but for the aggregate's names. */
void
catalog_list_write(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_out *out);

/* Appends {"name", "version", "title"?…}, the capabilities object in that era,
 * the instructions (a string; false: there are none). */
void
catalog_info_write(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, struct json_out *out);
void catalog_capabilities_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct client *client,
    struct json_out *out);
bool catalog_instructions_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct client *client,
    struct json_out *out);

/* What a name or URI of the endpoint means. */
struct catalog_entry {
	struct server *server;
	struct json_span element; /* of its surface; empty: not listed */
	char *inner; /* owned, for free(): the server's own name or URI, as a
		      * JSON string with its quotes */
};

#define CATALOG_E_UNKNOWN 1
#define CATALOG_E_AMBIGUOUS 2 /* a bare ui:// URI of two servers */

/* A resource that no list names is found all the same, by its prefix (or the
 * endpoint's only server), with an empty element. -ENOMEM. */
int catalog_find(struct gateway *gateway, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_span name,
    struct catalog_entry *entry);

/* Appends params with the entry's own name or URI put in, at this member; of
 * "ref" (completion/complete) inside it. JSON_E_TYPE: params is no object. */
int catalog_params_write(struct json_out *out, struct json_span params,
    const char *member, const struct catalog_entry *entry);

/* Appends a result (or a notification's params) of the server as this endpoint
 * shows it: unchanged for one server; URIs of resources rewritten for the
 * aggregate, wherever MCP has them (contents, resource links, embedded
 * resources, templates, tasks). */
void catalog_result_write(struct gateway *gateway,
    const struct endpoint *endpoint, const struct server *server,
    const char *method, struct json_span result, struct json_out *out);
