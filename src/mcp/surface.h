/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a server says of itself: who it is, what it can, and its lists. Taken
 * from the JSON a bundle declared, or from the answers to server/discover or
 * initialize and to the lists. Members are kept as the bytes that came.
 *
 * Lists are admitted element by element: one without a usable name (1 to 128
 * bytes; a URI: 1 to 4096; no control characters), a tool whose inputSchema is
 * no object or whose x-mcp-header is invalid, and the second of two with the
 * same name are left out and counted. A bundle's own declaration is held to
 * the same, and refused as a whole.
 */

#include <stdint.h>

#include "base/err.h"
#include "json/json.h"
#include "json/out.h"
#include "mcp/version.h"

#define MCP_NAME_MAX 128 /* bytes of a tool's or prompt's name */
#define MCP_URI_MAX 4096
#define MCP_ELEMENTS_MAX 10000 /* of one list */
#define MCP_SURFACE_BYTES (4u << 20) /* all that is kept of one server */

#define MCP_E_SURFACE 1 /* not a surface; err says why */

enum mcp_list {
	MCP_TOOLS,
	MCP_PROMPTS,
	MCP_RESOURCES,
	MCP_TEMPLATES,
	MCP_N_LISTS,
};

struct mcp_element {
	struct json_span json; /* the element, as it came */
	char *name; /* owned, decoded: its name, URI or URI template */
};

struct mcp_elements {
	struct mcp_element *items; /* owned; in the order they came */
	struct mcp_element **by_name; /* owned; after finish */
	size_t n;
	size_t capacity;
};

struct mcp_surface {
	bool is_fetch; /* a Workers-style bundle declares no more than that */
	bool is_declared; /* the host speaks MCP for it */
	enum mcp_era era; /* that it is spoken to in */
	char version[16]; /* the protocol's */
	struct json_span info; /* {"name", "version", …} */
	struct json_span name; /* in info */
	struct json_span server_version;
	struct json_span title; /* empty: none */
	struct json_span instructions; /* a string; empty: none */
	struct json_span capabilities; /* an object */
	bool completions; /* declared: some prompt or template completes */
	struct mcp_elements lists[MCP_N_LISTS];
	char **uis; /* owned, sorted; after finish: URIs that its tools name as
		       their UI, decoded; two of a tool at most */
	size_t n_uis;
	size_t n_dropped;
	char dropped[256]; /* why the first was */
	char **texts; /* owned; all spans lie in these */
	size_t n_texts;
	size_t n_bytes; /* of all texts, ≤ MCP_SURFACE_BYTES */
};

/* An empty one. -ENOMEM. */
int mcp_surface_new(struct mcp_surface **surfacep);
struct mcp_surface *mcp_surface_free(struct mcp_surface *surface);

/*
 * Reads what a bundle declared: {"kind": "tools", …} or {"kind": "fetch"}
 * (pool/pool.h). Copies the text. MCP_E_SURFACE, -ENOMEM.
 */
int mcp_surface_admit(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err);

/*
 * The result of initialize (legacy) or server/discover (modern), checked JSON;
 * copied. MCP_E_SURFACE, -ENOMEM.
 */
int mcp_surface_info_take(struct mcp_surface *surface, enum mcp_era era,
    struct json_span result, struct err *err);

/*
 * One page of a list: the result of tools/list …, checked JSON; copied. *next
 * is its nextCursor, a string in the copy, or empty. MCP_E_SURFACE, -ENOMEM.
 */
int mcp_surface_page_take(struct mcp_surface *surface, enum mcp_list list,
    struct json_span result, struct json_span *next, struct err *err);

/* Sorts the lists, of which only now is asked. -ENOMEM. */
int mcp_surface_finish(struct mcp_surface *surface);

/* Whether its capabilities have this member ("tools"), and inside it that one,
 * which is true ("listChanged"; NULL: whatever it is). */
bool mcp_surface_can(
    const struct mcp_surface *surface, const char *what, const char *more);

/* By decoded name; NULL. */
const struct mcp_element *mcp_surface_find(
    const struct mcp_surface *surface, enum mcp_list list, const char *name);
/* By a JSON string. */
const struct mcp_element *
mcp_surface_find_raw(const struct mcp_surface *surface, enum mcp_list list,
    struct json_span name);

/* Whether it has the tool that this JSON string names. */
bool
mcp_surface_has_tool(const struct mcp_surface *surface, struct json_span name);

/* Whether one of its tools names this URI (a JSON string) as its UI:
 * _meta.ui.resourceUri, or _meta["ui/resourceUri"] as older ones do. */
bool
mcp_surface_has_ui(const struct mcp_surface *surface, struct json_span uri);

/* Whether two lists are the same, byte for byte and in this order. */
bool mcp_surface_list_equals(const struct mcp_surface *a,
    const struct mcp_surface *b, enum mcp_list list);

/* Appends the elements as an array. */
void mcp_surface_list_write(const struct mcp_surface *surface,
    enum mcp_list list, struct json_out *out);

/* Appends all of it as one object, for a review: {"protocolVersion",
 * "serverInfo", "capabilities", "instructions"?, "tools", "prompts",
 * "resources", "resourceTemplates"}. */
void mcp_surface_write(const struct mcp_surface *surface, struct json_out *out);

/* Reads what mcp_surface_write() wrote; copied, and finished. Elements that
 * would not be admitted are left out as they would be of a page. MCP_E_SURFACE,
 * -ENOMEM. */
int mcp_surface_recall(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err);

/* "tools/list" and "tools", … */
const char *mcp_list_method(enum mcp_list list);
const char *mcp_list_member(enum mcp_list list);
