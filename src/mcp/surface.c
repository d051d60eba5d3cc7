/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/param.h"
#include "mcp/surface.h"

static const struct list {
	const char *method;
	const char *member;
	const char *key; /* of an element */
	const char *capability;
	size_t key_max;
	const char *word;
} lists[MCP_N_LISTS] = {
	[MCP_TOOLS] = { "tools/list", "tools", "name", "tools", MCP_NAME_MAX,
	    "tool" },
	[MCP_PROMPTS] = { "prompts/list", "prompts", "name", "prompts",
	    MCP_NAME_MAX, "prompt" },
	[MCP_RESOURCES] = { "resources/list", "resources", "uri", "resources",
	    MCP_URI_MAX, "resource" },
	[MCP_TEMPLATES] = { "resources/templates/list", "resourceTemplates",
	    "uriTemplate", "resources", MCP_URI_MAX, "resource template" },
};

const char *
mcp_list_method(enum mcp_list list)
{
	return lists[list].method;
}

const char *
mcp_list_member(enum mcp_list list)
{
	return lists[list].member;
}

int
mcp_surface_new(struct mcp_surface **surfacep)
{
	struct mcp_surface *surface = calloc(1, sizeof(*surface));

	if (surface == NULL)
		return -ENOMEM;
	*surfacep = surface;
	return 0;
}

static void
uis_free(struct mcp_surface *surface)
{
	for (size_t i = 0; i < surface->n_uis; i++)
		free(surface->uis[i]);
	free(surface->uis);
	surface->uis = NULL;
	surface->n_uis = 0;
}

struct mcp_surface *
mcp_surface_free(struct mcp_surface *surface)
{
	if (surface == NULL)
		return NULL;
	for (size_t i = 0; i < MCP_N_LISTS; i++) {
		struct mcp_elements *elements = &surface->lists[i];
		for (size_t j = 0; j < elements->n; j++)
			free(elements->items[j].name);
		free(elements->items);
		free(elements->by_name);
	}
	uis_free(surface);
	for (size_t i = 0; i < surface->n_texts; i++)
		free(surface->texts[i]);
	free(surface->texts);
	free(surface);
	return NULL;
}

static int
bad(struct err *err, const char *what)
{
	return err_set(
	    err, MCP_E_SURFACE, "the server's surface is broken: %s", what);
}

/* The text becomes the surface's; the copy is what spans lie in. */
static int
text_keep(struct mcp_surface *surface, const char *raw_text, size_t len,
    char **copy, struct err *err)
{
	if (len > MCP_SURFACE_BYTES - surface->n_bytes)
		return bad(err, "it is longer than 4 MiB");
	char **texts =
	    reallocarray(surface->texts, surface->n_texts + 1, sizeof(char *));
	if (texts == NULL)
		return -ENOMEM;
	surface->texts = texts;
	char *text = malloc(len + 1);
	if (text == NULL)
		return -ENOMEM;
	memcpy(text, raw_text, len);
	text[len] = '\0';
	texts[surface->n_texts++] = text;
	surface->n_bytes += len;
	*copy = text;
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* NULL, or what is wrong with it. */
static const char *
element_read(enum mcp_list list, struct json_span element, char *name)
{
	struct json_want members[] = { { .name = lists[list].key },
		{ .name = "inputSchema" } };
	struct err err = { 0 };

	if (json_members_find(element, members, ARRAY_LEN(members)) != 0)
		return "is no object, or names itself twice";
	if (json_string_copy(
		members[0].value, name, lists[list].key_max + 1, NULL) != 0 ||
	    name[0] == '\0' || has_control(name))
		return list == MCP_TOOLS || list == MCP_PROMPTS
		    ? "has no name of 1 to 128 bytes without control characters"
		    : "has no URI of 1 to 4096 bytes without control "
		      "characters";
	if (list != MCP_TOOLS)
		return NULL;
	if (json_kind_of(members[1].value) != JSON_KIND_OBJECT)
		return "has an inputSchema that is no object";
	if (mcp_param_schema_check(members[1].value, &err) != 0)
		return "has an x-mcp-header that is not allowed";
	return NULL;
}

static void
element_drop(struct mcp_surface *surface, enum mcp_list list, const char *name,
    const char *why)
{
	if (surface->n_dropped++ == 0)
		snprintf(surface->dropped, sizeof(surface->dropped),
		    "the %s '%.64s' %s", lists[list].word, name, why);
}

static int
element_keep(struct mcp_surface *surface, enum mcp_list list,
    struct json_span element, const char *name)
{
	struct mcp_elements *elements = &surface->lists[list];

	if (elements->n == elements->capacity) {
		const size_t capacity = elements->n == 0 ? 16 : 2 * elements->n;
		struct mcp_element *items =
		    reallocarray(elements->items, capacity, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
		elements->items = items;
		elements->capacity = capacity;
	}
	char *copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	elements->items[elements->n++] =
	    (struct mcp_element){ .json = element, .name = copy };
	return 0;
}

static int
list_take(struct mcp_surface *surface, enum mcp_list list,
    struct json_span array, struct err *err)
{
	char name[MCP_URI_MAX + 1];
	struct json_span element;
	struct json_iter iter;

	if (json_kind_of(array) != JSON_KIND_ARRAY)
		return err_set(err, MCP_E_SURFACE,
		    "the server's surface is broken: %s is no array",
		    lists[list].member);
	json_iter_init(&iter, array);
	while (json_iter_element(&iter, &element)) {
		if (surface->lists[list].n == MCP_ELEMENTS_MAX)
			return bad(err, "a list has more than 10000 elements");
		name[0] = '\0';
		const char *why = element_read(list, element, name);
		if (why != NULL) {
			element_drop(surface, list, name, why);
			continue;
		}
		const int r = element_keep(surface, list, element, name);
		if (r != 0)
			return r;
	}
	return 0;
}

/* By name, then by place. */
static int
compare_elements(const void *a, const void *b)
{
	const struct mcp_element *const *x = a, *const *y = b;
	const int order = strcmp((*x)->name, (*y)->name);

	return order != 0 ? order : (*x > *y) - (*x < *y);
}

static int
list_sort(struct mcp_surface *surface, enum mcp_list list)
{
	struct mcp_elements *elements = &surface->lists[list];

	free(elements->by_name);
	elements->by_name = calloc(elements->n + 1, sizeof(*elements->by_name));
	if (elements->by_name == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < elements->n; i++)
		elements->by_name[i] = &elements->items[i];
	qsort(elements->by_name, elements->n, sizeof(*elements->by_name),
	    compare_elements);
	return 0;
}

/* The first of a name wins: marks the others, and closes the ranks. */
static size_t
list_single_out(struct mcp_surface *surface, enum mcp_list list)
{
	struct mcp_elements *elements = &surface->lists[list];
	const char *last = NULL;
	size_t n = 0, n_dropped = 0;

	for (size_t i = 0; i < elements->n; i++) {
		struct mcp_element *element = elements->by_name[i];
		if (last != NULL && strcmp(last, element->name) == 0) {
			element_drop(surface, list, element->name,
			    "is there twice; the first one counts");
			element->json = (struct json_span){ 0 };
			n_dropped++;
		} else {
			last = element->name;
		}
	}
	for (size_t i = 0; i < elements->n; i++) {
		if (elements->items[i].json.at == NULL)
			free(elements->items[i].name);
		else
			elements->items[n++] = elements->items[i];
	}
	elements->n = n;
	return n_dropped;
}

static int
ui_keep(struct mcp_surface *surface, struct json_span uri)
{
	char text[MCP_URI_MAX + 1];

	if (json_string_copy(uri, text, sizeof(text), NULL) != 0)
		return 0; /* nor can it be asked for */
	char *copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	surface->uis[surface->n_uis++] = copy;
	return 0;
}

static int
tool_uis_keep(struct mcp_surface *surface, struct json_span tool)
{
	struct json_want meta = { .name = "_meta" };
	struct json_want members[] = { { .name = "ui" },
		{ .name = "ui/resourceUri" } };
	struct json_want uri = { .name = "resourceUri" };

	if (json_members_find(tool, &meta, 1) != 0 ||
	    json_members_find(meta.value, members, ARRAY_LEN(members)) != 0)
		return 0;
	int r = ui_keep(surface, members[1].value);
	if (r == 0 && json_members_find(members[0].value, &uri, 1) == 0)
		r = ui_keep(surface, uri.value);
	return r;
}

static int
compare_uis(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Looked up with each ui:// that is read, so not searched for in all tools. */
static int
uis_keep(struct mcp_surface *surface)
{
	const struct mcp_elements *tools = &surface->lists[MCP_TOOLS];
	int r = 0;

	uis_free(surface);
	surface->uis = calloc(2 * tools->n + 1, sizeof(*surface->uis));
	if (surface->uis == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < tools->n; i++)
		r = tool_uis_keep(surface, tools->items[i].json);
	qsort(surface->uis, surface->n_uis, sizeof(*surface->uis), compare_uis);
	return r;
}

int
mcp_surface_finish(struct mcp_surface *surface)
{
	for (enum mcp_list list = MCP_TOOLS; list < MCP_N_LISTS; list++) {
		int r = list_sort(surface, list);
		if (r == 0 && list_single_out(surface, list) > 0)
			r = list_sort(surface, list);
		if (r != 0)
			return r;
	}
	return uis_keep(surface);
}

static int
compare_key(const void *key, const void *item)
{
	const struct mcp_element *const *element = item;

	return strcmp(key, (*element)->name);
}

const struct mcp_element *
mcp_surface_find(
    const struct mcp_surface *surface, enum mcp_list list, const char *name)
{
	const struct mcp_elements *elements = &surface->lists[list];

	if (elements->n == 0)
		return NULL;
	struct mcp_element **found = bsearch(name, elements->by_name,
	    elements->n, sizeof(*elements->by_name), compare_key);
	return found == NULL ? NULL : *found;
}

const struct mcp_element *
mcp_surface_find_raw(const struct mcp_surface *surface, enum mcp_list list,
    struct json_span name)
{
	char text[MCP_URI_MAX + 1];

	if (json_string_copy(name, text, lists[list].key_max + 1, NULL) != 0)
		return NULL;
	return mcp_surface_find(surface, list, text);
}

bool
mcp_surface_has_tool(const struct mcp_surface *surface, struct json_span name)
{
	return mcp_surface_find_raw(surface, MCP_TOOLS, name) != NULL;
}

bool
mcp_surface_has_ui(const struct mcp_surface *surface, struct json_span uri)
{
	char text[MCP_URI_MAX + 1];
	const char *key = text;

	return surface->n_uis > 0 &&
	    json_string_copy(uri, text, sizeof(text), NULL) == 0 &&
	    bsearch(&key, surface->uis, surface->n_uis, sizeof(*surface->uis),
		compare_uis) != NULL;
}

static bool
is_optional_string(struct json_span value)
{
	const enum json_kind kind = json_kind_of(value);

	return kind == JSON_KIND_NONE || kind == JSON_KIND_STRING;
}

/* Names and version of {"name", "version", "title"?}. */
static int
info_read(struct mcp_surface *surface, struct json_span object, struct err *err)
{
	struct json_want members[] = { { .name = "name" },
		{ .name = "version" }, { .name = "title" } };

	if (json_members_find(object, members, ARRAY_LEN(members)) != 0 ||
	    json_kind_of(members[0].value) != JSON_KIND_STRING ||
	    json_kind_of(members[1].value) != JSON_KIND_STRING)
		return bad(err, "name and version must be strings");
	if (!is_optional_string(members[2].value))
		return bad(err, "title must be a string");
	surface->name = members[0].value;
	surface->server_version = members[1].value;
	surface->title = members[2].value;
	return 0;
}

enum {
	KIND,
	INSTRUCTIONS,
	TOOLS,
	PROMPTS,
	RESOURCES,
	TEMPLATES,
	COMPLETIONS,
	N_DECLARED,
};

/* What the host can do for a bundle, made of what the bundle has. */
static int
declared_offer(struct mcp_surface *surface, struct err *err)
{
	struct json_out out;
	char *text;

	json_out_init(&out, 65536);
	json_out_text(&out, "{\"tools\":{\"listChanged\":true}");
	if (surface->lists[MCP_PROMPTS].n > 0)
		json_out_text(&out, ",\"prompts\":{\"listChanged\":true}");
	if (surface->lists[MCP_RESOURCES].n + surface->lists[MCP_TEMPLATES].n >
	    0)
		json_out_text(&out,
		    ",\"resources\":{\"subscribe\":true,"
		    "\"listChanged\":true}");
	if (surface->completions)
		json_out_text(&out, ",\"completions\":{}");
	json_out_text(&out, ",\"logging\":{}}");
	const size_t capabilities_len = out.len;
	json_out_text(&out, "{\"name\":");
	json_out_span(&out, surface->name);
	json_out_text(&out, ",\"version\":");
	json_out_span(&out, surface->server_version);
	if (surface->title.at != NULL) {
		json_out_text(&out, ",\"title\":");
		json_out_span(&out, surface->title);
	}
	json_out_text(&out, "}");
	int r = json_out_status(&out);
	if (r == JSON_E_TOO_LONG)
		r = bad(err, "its name, version and title are too long");
	if (r == 0)
		r = text_keep(surface, out.bytes, out.len, &text, err);
	if (r == 0) {
		surface->capabilities =
		    (struct json_span){ text, capabilities_len };
		surface->info = (struct json_span){ text + capabilities_len,
			out.len - capabilities_len };
	}
	json_out_fini(&out);
	return r;
}

static int
declared_lists_take(struct mcp_surface *surface,
    const struct json_want *members, struct err *err)
{
	for (enum mcp_list list = MCP_TOOLS; list < MCP_N_LISTS; list++) {
		const struct json_span array =
		    members[TOOLS + (size_t)list].value;
		if (list != MCP_TOOLS && array.at == NULL)
			continue;
		const int r = list_take(surface, list, array, err);
		if (r != 0)
			return r;
	}
	const int r = mcp_surface_finish(surface);
	return r == 0 && surface->n_dropped > 0 ? bad(err, surface->dropped)
						: r;
}

static int
declared_read(struct mcp_surface *surface, struct json_span whole,
    const struct json_want *members, struct err *err)
{
	surface->is_fetch = json_string_equals(members[KIND].value, "fetch");
	if (surface->is_fetch)
		return mcp_surface_finish(surface);
	if (!json_string_equals(members[KIND].value, "tools"))
		return bad(err, "its kind is neither tools nor fetch");
	if (!is_optional_string(members[INSTRUCTIONS].value))
		return bad(err, "instructions must be a string");
	surface->is_declared = true;
	surface->era = MCP_MODERN;
	strcpy(surface->version, MCP_VERSION_MODERN);
	surface->instructions = members[INSTRUCTIONS].value;
	surface->completions = json_value_is_true(members[COMPLETIONS].value);
	int r = info_read(surface, whole, err);
	if (r == 0)
		r = declared_lists_take(surface, members, err);
	return r == 0 ? declared_offer(surface, err) : r;
}

static int
declared_admit(struct mcp_surface *surface, const char *raw_json, size_t len,
    struct err *err)
{
	struct json_want members[N_DECLARED] = {
		[KIND] = { .name = "kind" },
		[INSTRUCTIONS] = { .name = "instructions" },
		[TOOLS] = { .name = "tools" },
		[PROMPTS] = { .name = "prompts" },
		[RESOURCES] = { .name = "resources" },
		[TEMPLATES] = { .name = "resourceTemplates" },
		[COMPLETIONS] = { .name = "completions" },
	};
	struct json_span whole;
	char *text;

	const int r = text_keep(surface, raw_json, len, &text, err);
	if (r != 0)
		return r;
	if (json_check(text, len, &whole, NULL) != 0)
		return bad(err, "it is no JSON, or deeper than 256 levels");
	if (json_members_find(whole, members, N_DECLARED) != 0)
		return bad(err, "it is no object, or a member comes twice");
	return declared_read(surface, whole, members, err);
}

int
mcp_surface_admit(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err)
{
	struct mcp_surface *surface;
	int r = mcp_surface_new(&surface);

	if (r != 0)
		return r;
	r = declared_admit(surface, raw_json, len, err);
	if (r != 0) {
		mcp_surface_free(surface);
		return r;
	}
	*surfacep = surface;
	return 0;
}

/* A modern server says who it is in _meta, or (older drafts) beside it. */
static struct json_span
info_find(struct json_span result)
{
	struct json_want members[] = { { .name = "serverInfo" },
		{ .name = "_meta" } };
	struct json_want inner = { .name = MCP_META_SERVER_INFO };

	if (json_members_find(result, members, ARRAY_LEN(members)) != 0)
		return (struct json_span){ 0 };
	if (members[0].value.at != NULL)
		return members[0].value;
	if (json_members_find(members[1].value, &inner, 1) != 0)
		return (struct json_span){ 0 };
	return inner.value;
}

static int
version_read(struct mcp_surface *surface, enum mcp_era era,
    struct json_span version, struct err *err)
{
	if (era == MCP_MODERN) {
		strcpy(surface->version, MCP_VERSION_MODERN);
		return 0;
	}
	if (json_string_copy(version, surface->version,
		sizeof(surface->version), NULL) != 0 ||
	    !mcp_version_is_legacy(surface->version))
		return bad(
		    err, "its protocolVersion is none that this host speaks");
	return 0;
}

/* Of a text that is the surface's. */
static int
greeting_read(struct mcp_surface *surface, enum mcp_era era,
    struct json_span whole, struct err *err)
{
	static const char nobody[] = "{\"name\":\"unknown\",\"version\":\"\"}";
	struct json_want members[] = { { .name = "capabilities" },
		{ .name = "instructions" }, { .name = "protocolVersion" } };

	if (json_members_find(whole, members, ARRAY_LEN(members)) != 0)
		return bad(err,
		    "the answer is no object, or a member is there "
		    "twice");
	const int r = version_read(surface, era, members[2].value, err);
	if (r != 0)
		return r;
	if (json_kind_of(members[0].value) != JSON_KIND_OBJECT)
		return bad(err, "capabilities is no object");
	surface->era = era;
	surface->capabilities = members[0].value;
	if (json_kind_of(members[1].value) == JSON_KIND_STRING)
		surface->instructions = members[1].value;
	surface->info = info_find(whole);
	if (json_kind_of(surface->info) != JSON_KIND_OBJECT)
		surface->info = (struct json_span){ nobody, strlen(nobody) };
	return info_read(surface, surface->info, err);
}

int
mcp_surface_info_take(struct mcp_surface *surface, enum mcp_era era,
    struct json_span result, struct err *err)
{
	char *text;

	const int r = text_keep(surface, result.at, result.len, &text, err);
	return r != 0 ? r
		      : greeting_read(surface, era,
			    (struct json_span){ text, result.len }, err);
}

static int
written_read(struct mcp_surface *surface, struct json_span whole,
    const struct json_want *members, struct err *err)
{
	const enum mcp_era era =
	    json_string_equals(members[MCP_N_LISTS].value, MCP_VERSION_MODERN)
	    ? MCP_MODERN
	    : MCP_LEGACY;

	int r = greeting_read(surface, era, whole, err);
	for (enum mcp_list list = MCP_TOOLS; r == 0 && list < MCP_N_LISTS;
	     list++)
		r = list_take(surface, list, members[list].value, err);
	return r == 0 ? mcp_surface_finish(surface) : r;
}

static int
written_take(struct mcp_surface *surface, const char *raw_json, size_t len,
    struct err *err)
{
	struct json_want members[MCP_N_LISTS + 1] = {
		[MCP_N_LISTS] = { .name = "protocolVersion" },
	};
	struct json_span whole;
	char *text;

	for (size_t i = 0; i < MCP_N_LISTS; i++)
		members[i].name = lists[i].member;
	const int r = text_keep(surface, raw_json, len, &text, err);
	if (r != 0)
		return r;
	if (json_check(text, len, &whole, NULL) != 0 ||
	    json_members_find(whole, members, ARRAY_LEN(members)) != 0)
		return bad(err, "it is no object, or has a member twice");
	return written_read(surface, whole, members, err);
}

int
mcp_surface_recall(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err)
{
	struct mcp_surface *surface;
	int r = mcp_surface_new(&surface);

	if (r != 0)
		return r;
	r = written_take(surface, raw_json, len, err);
	if (r != 0) {
		mcp_surface_free(surface);
		return r;
	}
	*surfacep = surface;
	return 0;
}

int
mcp_surface_page_take(struct mcp_surface *surface, enum mcp_list list,
    struct json_span result, struct json_span *next, struct err *err)
{
	struct json_want members[] = { { .name = lists[list].member },
		{ .name = "nextCursor" } };
	char *text;

	int r = text_keep(surface, result.at, result.len, &text, err);
	if (r != 0)
		return r;
	if (json_members_find((struct json_span){ text, result.len }, members,
		ARRAY_LEN(members)) != 0)
		return bad(err, "a page is no object, or has a member twice");
	r = list_take(surface, list, members[0].value, err);
	if (r != 0)
		return r;
	*next = json_kind_of(members[1].value) == JSON_KIND_STRING
	    ? members[1].value
	    : (struct json_span){ 0 };
	return 0;
}

bool
mcp_surface_can(
    const struct mcp_surface *surface, const char *what, const char *more)
{
	struct json_want outer = { .name = what }, inner = { .name = more };

	if (json_members_find(surface->capabilities, &outer, 1) != 0 ||
	    json_kind_of(outer.value) != JSON_KIND_OBJECT)
		return false;
	return more == NULL ||
	    (json_members_find(outer.value, &inner, 1) == 0 &&
		json_value_is_true(inner.value));
}

bool
mcp_surface_list_equals(const struct mcp_surface *a,
    const struct mcp_surface *b, enum mcp_list list)
{
	const struct mcp_elements *x = &a->lists[list], *y = &b->lists[list];

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (x->items[i].json.len != y->items[i].json.len ||
		    memcmp(x->items[i].json.at, y->items[i].json.at,
			x->items[i].json.len) != 0)
			return false;
	return true;
}

void
mcp_surface_list_write(
    const struct mcp_surface *surface, enum mcp_list list, struct json_out *out)
{
	const struct mcp_elements *elements = &surface->lists[list];

	json_out_text(out, "[");
	for (size_t i = 0; i < elements->n; i++) {
		json_out_text(out, i == 0 ? "" : ",");
		json_out_span(out, elements->items[i].json);
	}
	json_out_text(out, "]");
}

void
mcp_surface_write(const struct mcp_surface *surface, struct json_out *out)
{
	json_out_text(out, "{\"protocolVersion\":\"");
	json_out_text(out, surface->version);
	json_out_text(out, "\",\"serverInfo\":");
	json_out_span(out, surface->info);
	json_out_text(out, ",\"capabilities\":");
	json_out_span(out, surface->capabilities);
	if (surface->instructions.at != NULL) {
		json_out_text(out, ",\"instructions\":");
		json_out_span(out, surface->instructions);
	}
	for (enum mcp_list list = MCP_TOOLS; list < MCP_N_LISTS; list++) {
		json_out_text(out, ",\"");
		json_out_text(out, lists[list].member);
		json_out_text(out, "\":");
		mcp_surface_list_write(surface, list, out);
	}
	json_out_text(out, "}");
}
