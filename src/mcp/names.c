/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/names.h"

#define SCHEME "cordon:"
#define HASH_DIGITS 20
#define HEAD_MAX (MCP_JOINED_MAX - 1 - HASH_DIGITS)
#define URI_MAX 65536 /* decoded; beyond that nothing is taken apart */

static bool
is_allowed(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '-';
}

/* Whether it looks like a name with a hash: those must never be plain. */
static bool
has_hash(const char *joined, size_t len)
{
	if (len <= HASH_DIGITS || joined[len - HASH_DIGITS - 1] != '_')
		return false;
	return strspn(joined + len - HASH_DIGITS, "0123456789abcdef") ==
	    HASH_DIGITS;
}

/* Whether the first "__" behind it would be the one that joins. */
static bool
server_is_plain(const char *server)
{
	const size_t len = strlen(server);

	return len > 0 && server[len - 1] != '_' &&
	    strstr(server, "__") == NULL;
}

static void
hash_write(const char *server, const char *name, char *digits)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(
	    &state, (const uint8_t *)server, strlen(server) + 1);
	crypto_hash_sha256_update(&state, (const uint8_t *)name, strlen(name));
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	memcpy(digits, hex, HASH_DIGITS);
}

/* Joins as much as fits, bad characters replaced; whether nothing was lost. */
static bool
plain_write(const char *server, const char *name, size_t max, char *joined)
{
	const char *const parts[] = { server, "__", name };
	bool whole = true;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (const char *at = parts[i]; *at != '\0'; at++) {
			if (n == max) {
				joined[n] = '\0';
				return false;
			}
			whole = whole && is_allowed(*at);
			joined[n++] = is_allowed(*at) ? *at : '_';
		}
	}
	joined[n] = '\0';
	return whole;
}

void
mcp_name_join(
    const char *server, const char *name, char joined[MCP_JOINED_MAX + 1])
{
	if (server_is_plain(server) &&
	    plain_write(server, name, MCP_JOINED_MAX, joined) &&
	    !has_hash(joined, strlen(joined)))
		return;
	plain_write(server, name, HEAD_MAX, joined);
	const size_t n = strlen(joined);
	joined[n] = '_';
	hash_write(server, name, joined + n + 1);
	joined[n + 1 + HASH_DIGITS] = '\0';
}

bool
mcp_name_split(
    const char *joined, char server[MCP_SERVER_NAME_MAX], const char **name)
{
	const char *mark = strstr(joined, "__");

	if (mark == NULL || mark == joined || mark[2] == '\0' ||
	    (size_t)(mark - joined) >= MCP_SERVER_NAME_MAX ||
	    has_hash(joined, strlen(joined)))
		return false;
	memcpy(server, joined, (size_t)(mark - joined));
	server[mark - joined] = '\0';
	*name = mark + 2;
	return true;
}

bool
mcp_uri_is_kept(struct json_span uri)
{
	char text[8];

	if (uri.len > 6 && memcmp(uri.at, "\"ui://", 6) == 0)
		return true;
	/* Escapes are rare; what they spell counts all the same. */
	if (memchr(uri.at, '\\', uri.len < 40 ? uri.len : 40) == NULL)
		return false;
	char decoded[URI_MAX];
	if (json_string_copy(uri, decoded, sizeof(decoded), NULL) != 0)
		return false;
	snprintf(text, sizeof(text), "%.5s", decoded);
	return strcmp(text, "ui://") == 0;
}

static void
prefix_write(struct json_out *out, const char *server)
{
	json_out_text(out, SCHEME);
	json_out_text(out, server);
	json_out_text(out, "/");
}

void
mcp_uri_join(struct json_out *out, const char *server, struct json_span uri)
{
	json_out_text(out, "\"");
	if (!mcp_uri_is_kept(uri))
		prefix_write(out, server);
	json_out_raw(out, uri.at + 1, uri.len - 1);
}

bool
mcp_uri_split(struct json_span uri, char server[MCP_SERVER_NAME_MAX],
    struct json_out *inner)
{
	char text[URI_MAX];
	const size_t scheme_len = strlen(SCHEME);
	size_t len;

	if (json_string_copy(uri, text, sizeof(text), &len) != 0 ||
	    len < scheme_len || memcmp(text, SCHEME, scheme_len) != 0)
		return false;
	const char *start = text + scheme_len;
	const char *slash = memchr(start, '/', len - scheme_len);
	if (slash == NULL || slash == start ||
	    (size_t)(slash - start) >= MCP_SERVER_NAME_MAX ||
	    memchr(start, '\0', (size_t)(slash - start)) != NULL)
		return false;
	memcpy(server, start, (size_t)(slash - start));
	server[slash - start] = '\0';
	json_out_string(inner, slash + 1, len - (size_t)(slash + 1 - text));
	return true;
}

/* Strings of one value that get the prefix, in the order they stand in. */
struct sites {
	const char **at; /* owned */
	size_t n;
	size_t capacity;
	bool is_short; /* of memory: the value must not go out */
};

typedef void visit_fn(struct sites *sites, struct json_span value);

/* Every member of this name: which of two a client takes is its own matter, so
 * none may keep a URI that reads as another server's. */
static void
members_visit(struct sites *sites, struct json_span object, const char *name,
    visit_fn *visit)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(object) != JSON_KIND_OBJECT)
		return;
	json_iter_init(&iter, object);
	while (json_iter_member(&iter, &key, &value))
		if (json_string_equals(key, name))
			visit(sites, value);
}

static bool
member_says(struct json_span object, const char *name, const char *text)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(object) != JSON_KIND_OBJECT)
		return false;
	json_iter_init(&iter, object);
	while (json_iter_member(&iter, &key, &value))
		if (json_string_equals(key, name) &&
		    json_string_equals(value, text))
			return true;
	return false;
}

static void
site_add(struct sites *sites, struct json_span string)
{
	if (json_kind_of(string) != JSON_KIND_STRING || mcp_uri_is_kept(string))
		return;
	if (sites->n == sites->capacity) {
		const size_t capacity = sites->n == 0 ? 64 : 2 * sites->n;
		const char **at =
		    reallocarray(sites->at, capacity, sizeof(*at));
		if (at == NULL) {
			sites->is_short = true;
			return;
		}
		sites->at = at;
		sites->capacity = capacity;
	}
	sites->at[sites->n++] = string.at;
}

static void
contents_visit(struct sites *sites, struct json_span contents)
{
	members_visit(sites, contents, "uri", site_add);
}

/* A content block: a link, or a resource that is in it. */
static void
block_visit(struct sites *sites, struct json_span block)
{
	if (member_says(block, "type", "resource_link"))
		members_visit(sites, block, "uri", site_add);
	if (member_says(block, "type", "resource"))
		members_visit(sites, block, "resource", contents_visit);
}

static void
each_visit(struct sites *sites, struct json_span array, visit_fn *visit)
{
	struct json_span value;
	struct json_iter iter;

	if (json_kind_of(array) != JSON_KIND_ARRAY)
		return;
	json_iter_init(&iter, array);
	while (json_iter_element(&iter, &value))
		visit(sites, value);
}

/* One block, or an array of them (sampling has both, prompts the first). */
static void
content_visit(struct sites *sites, struct json_span content)
{
	if (json_kind_of(content) == JSON_KIND_ARRAY)
		each_visit(sites, content, block_visit);
	else
		block_visit(sites, content);
}

static void
message_visit(struct sites *sites, struct json_span message)
{
	members_visit(sites, message, "content", content_visit);
}

static void
messages_visit(struct sites *sites, struct json_span messages)
{
	each_visit(sites, messages, message_visit);
}

static void
read_visit(struct sites *sites, struct json_span contents)
{
	each_visit(sites, contents, contents_visit);
}

static void
task_visit(struct sites *sites, struct json_span task)
{
	members_visit(sites, task, "taskId", site_add);
}

static void
tasks_visit(struct sites *sites, struct json_span tasks)
{
	each_visit(sites, tasks, task_visit);
}

static void
meta_visit(struct sites *sites, struct json_span meta)
{
	members_visit(
	    sites, meta, "io.modelcontextprotocol/related-task", task_visit);
}

/* What a task came to. */
static void
outcome_visit(struct sites *sites, struct json_span result)
{
	message_visit(sites, result);
	members_visit(sites, result, "messages", messages_visit);
}

static void
value_visit(struct sites *sites, const char *method, struct json_span value)
{
	const bool is_task = strncmp(method, "tasks/", 6) == 0 ||
	    strncmp(method, "notifications/tasks", 19) == 0;

	message_visit(sites, value);
	members_visit(sites, value, "messages", messages_visit);
	if (strcmp(method, "resources/read") == 0)
		members_visit(sites, value, "contents", read_visit);
	if (strncmp(method, "notifications/resources/", 24) == 0)
		members_visit(sites, value, "uri", site_add);
	members_visit(sites, value, "task", task_visit);
	members_visit(sites, value, "_meta", meta_visit);
	/* A modern tools/call may answer with the task itself. */
	if (is_task || member_says(value, "resultType", "task"))
		task_visit(sites, value);
	if (is_task) {
		members_visit(sites, value, "tasks", tasks_visit);
		members_visit(sites, value, "result", outcome_visit);
	}
}

static int
compare_sites(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

void
mcp_result_join(struct json_out *out, const char *server, const char *method,
    struct json_span value)
{
	struct sites sites = { 0 };
	const char *done = value.at;

	value_visit(&sites, method, value);
	if (sites.is_short)
		out->status = -ENOMEM;
	if (sites.n > 0)
		qsort(sites.at, sites.n, sizeof(sites.at[0]), compare_sites);
	for (size_t i = 0; i < sites.n; i++) {
		const char *inside = sites.at[i] + 1;
		if (inside <= done && i > 0)
			continue; /* reached on two ways */
		json_out_raw(out, done, (size_t)(inside - done));
		prefix_write(out, server);
		done = inside;
	}
	free(sites.at);
	json_out_raw(out, done, (size_t)(value.at + value.len - done));
}
