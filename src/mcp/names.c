/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/names.h"

#define SCHEME "cordon:"
#define HASH_DIGITS 20
#define HEAD_MAX (MCP_JOINED_MAX - 1 - HASH_DIGITS)
#define URI_MAX 65536 /* decoded; beyond that nothing is taken apart */
#define SITES_MAX 4096 /* URIs of one result that are joined */

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
	const char *at[SITES_MAX];
	size_t n;
};

static struct json_span
member(struct json_span object, const char *name)
{
	struct json_want want = { .name = name };

	return json_members_find(object, &want, 1) == 0
	    ? want.value
	    : (struct json_span){ 0 };
}

static void
site_add(struct sites *sites, struct json_span string)
{
	if (json_kind_of(string) == JSON_KIND_STRING && sites->n < SITES_MAX &&
	    !mcp_uri_is_kept(string))
		sites->at[sites->n++] = string.at;
}

/* A content block: a link, or a resource that is in it. */
static void
block_visit(struct sites *sites, struct json_span block)
{
	const struct json_span type = member(block, "type");

	if (json_string_equals(type, "resource_link"))
		site_add(sites, member(block, "uri"));
	else if (json_string_equals(type, "resource"))
		site_add(sites, member(member(block, "resource"), "uri"));
}

typedef void visit_fn(struct sites *sites, struct json_span value);

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
message_visit(struct sites *sites, struct json_span message)
{
	const struct json_span content = member(message, "content");

	if (json_kind_of(content) == JSON_KIND_ARRAY)
		each_visit(sites, content, block_visit);
	else
		block_visit(sites, content);
}

static void
contents_visit(struct sites *sites, struct json_span contents)
{
	site_add(sites, member(contents, "uri"));
}

static void
task_visit(struct sites *sites, struct json_span task)
{
	site_add(sites, member(task, "taskId"));
}

static void
value_visit(struct sites *sites, const char *method, struct json_span value)
{
	const bool is_task = strncmp(method, "tasks/", 6) == 0 ||
	    strncmp(method, "notifications/tasks", 19) == 0;

	each_visit(sites, member(value, "content"), block_visit);
	each_visit(sites, member(value, "messages"), message_visit);
	if (strcmp(method, "resources/read") == 0)
		each_visit(sites, member(value, "contents"), contents_visit);
	if (strncmp(method, "notifications/resources/", 24) == 0)
		site_add(sites, member(value, "uri"));
	task_visit(sites, member(value, "task"));
	task_visit(sites,
	    member(member(value, "_meta"),
		"io.modelcontextprotocol/related-task"));
	/* A modern tools/call may answer with the task itself. */
	if (is_task || json_string_equals(member(value, "resultType"), "task"))
		task_visit(sites, value);
	if (is_task) {
		each_visit(sites, member(value, "tasks"), task_visit);
		message_visit(sites, member(value, "result"));
		each_visit(sites, member(member(value, "result"), "messages"),
		    message_visit);
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
	auto_free struct sites *sites = malloc(sizeof(*sites));
	const char *done = value.at;

	if (sites == NULL) {
		out->status = -ENOMEM;
		return;
	}
	sites->n = 0;
	value_visit(sites, method, value);
	qsort(sites->at, sites->n, sizeof(sites->at[0]), compare_sites);
	for (size_t i = 0; i < sites->n; i++) {
		const char *inside = sites->at[i] + 1;
		if (inside <= done && i > 0)
			continue; /* reached on two ways */
		json_out_raw(out, done, (size_t)(inside - done));
		prefix_write(out, server);
		done = inside;
	}
	json_out_raw(out, done, (size_t)(value.at + value.len - done));
}
