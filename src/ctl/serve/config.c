/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/units.h"
#include "ctl/serve/bounds.h"
#include "ctl/text.h"

#define POINTER_MAX 256
#define REUSE_MAX 1000000u
#define SECOND UINT64_C(1000000000)
#define BOX_SPARES_MAX 64u
#define ASK_SECONDS_MAX UINT64_C(86400)

/* Where we are, for the sentence. */
struct place {
	const char *path;
	char pointer[POINTER_MAX];
	struct err *err;
};

/* Reads a value into the field of that kind; 0, or place_fail(). */
typedef int
read_fn(const struct place *place, struct json_span value, void *field);

struct member {
	const char *name;
	read_fn *read;
	size_t offset;
};

static int
place_fail(const struct place *place, const char *wanted)
{
	return err_set(place->err, CTL_E_CONFIG, "%s: %s must be %s",
	    place->path, place->pointer, wanted);
}

static int
text_get(struct json_span value, char *text, size_t size)
{
	if (json_kind_of(value) != JSON_KIND_STRING)
		return JSON_E_TYPE;
	return json_string_copy(value, text, size, NULL);
}

static int
integer_get(struct json_span value, uint64_t *number)
{
	char text[24];

	if (json_kind_of(value) != JSON_KIND_NUMBER ||
	    !json_value_is_integer(value) || value.at[0] == '-' ||
	    value.len >= sizeof(text))
		return JSON_E_TYPE;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	return units_size_parse(text, number);
}

static int
size_read(const struct place *place, struct json_span value, void *field)
{
	char text[64];

	if (integer_get(value, field) == 0)
		return 0;
	if (text_get(value, text, sizeof(text)) != 0 ||
	    units_size_parse(text, field) != 0)
		return place_fail(
		    place, "a size: \"128MiB\", or a number of bytes");
	return 0;
}

static int
duration_read(const struct place *place, struct json_span value, void *field)
{
	char text[64];

	if (text_get(value, text, sizeof(text)) != 0 ||
	    units_duration_parse(text, field) != 0)
		return place_fail(
		    place, "a duration with its unit: \"50ms\" or \"30s\"");
	return 0;
}

static int
count_read(const struct place *place, struct json_span value, void *field)
{
	uint64_t count;

	if (integer_get(value, &count) != 0 || count == 0 || count > UINT32_MAX)
		return place_fail(place, "a whole number of at least 1");
	*(uint32_t *)field = (uint32_t)count;
	return 0;
}

/* Whole seconds, in a field of 32 bits. */
static int
seconds_read(const struct place *place, struct json_span value, void *field)
{
	uint64_t ns;

	const int r = duration_read(place, value, &ns);
	if (r != 0)
		return r;
	if (ns < SECOND || ns / SECOND > 366 * ASK_SECONDS_MAX)
		return place_fail(place, "from 1s to 8784h");
	*(uint32_t *)field = (uint32_t)(ns / SECOND);
	return 0;
}

static int
resume_read(const struct place *place, struct json_span value, void *field)
{
	uint64_t bytes;

	const int r = size_read(place, value, &bytes);
	if (r != 0)
		return r;
	if (bytes > (16u << 20))
		return place_fail(place, "at most 16MiB");
	*(uint32_t *)field = (uint32_t)bytes;
	return 0;
}

static int
file_read(const struct place *place, struct json_span value, void *field)
{
	char *path = field;

	if (text_get(value, path, CTL_FILE_MAX) != 0 || path[0] == '\0')
		return place_fail(place, "the path of a file");
	return 0;
}

static int
format_read(const struct place *place, struct json_span value, void *field)
{
	if (!json_string_equals(value, "text") &&
	    !json_string_equals(value, "json"))
		return place_fail(place, "\"text\" or \"json\"");
	*(bool *)field = json_string_equals(value, "json");
	return 0;
}

static int
level_read(const struct place *place, struct json_span value, void *field)
{
	if (!json_string_equals(value, "info") &&
	    !json_string_equals(value, "debug"))
		return place_fail(place, "\"info\" or \"debug\"");
	*(bool *)field = json_string_equals(value, "debug");
	return 0;
}

static int
socket_read(const struct place *place, struct json_span value, void *field)
{
	char *path = field;

	if (text_get(value, path,
		sizeof(((struct ctl_server_config *)0)->socket)) != 0 ||
	    path[0] != '/')
		return place_fail(place,
		    "the path of a Unix socket, from /, of at most 107 bytes");
	return 0;
}

static int
url_read(const struct place *place, struct json_span value, void *field)
{
	char raw_text[WIRE_URL_MAX];
	struct err err = { "" };
	struct addr_url url;

	if (text_get(value, raw_text, sizeof(raw_text)) != 0)
		return place_fail(place, "a URL of at most 1023 bytes");
	if (addr_base_url_parse(raw_text, strlen(raw_text), &url, &err) != 0)
		return err_set(place->err, CTL_E_CONFIG, "%s: %s: the URL %s",
		    place->path, place->pointer, err.text);
	if (strlen(url.text) >= sizeof(raw_text))
		return place_fail(place, "a URL of at most 1023 bytes");
	strcpy(field, url.text);
	return 0;
}

static int
share_read(const struct place *place, struct json_span value, void *field)
{
	static const char *const names[] = {
		[WIRE_SHARE_PRINCIPAL] = "principal",
		[WIRE_SHARE_SESSION] = "session",
		[WIRE_SHARE_ALL] = "all",
	};

	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		if (json_string_equals(value, names[i])) {
			*(uint32_t *)field = i;
			return 0;
		}
	}
	return place_fail(place, "\"principal\", \"session\" or \"all\"");
}

/* Words of a program; what they mean is for who starts it. */
static int
command_read(const struct place *place, struct json_span value, void *field)
{
	struct json_span item;
	struct json_iter iter;
	bool is_good = json_kind_of(value) == JSON_KIND_ARRAY;
	size_t n = 0;

	if (is_good)
		(void)json_iter_init(&iter, value);
	for (; is_good && json_iter_element(&iter, &item); n++)
		is_good = json_kind_of(item) == JSON_KIND_STRING &&
		    memmem(item.at, item.len, "\\u0000", 6) == NULL &&
		    (n > 0 || item.len > 2);
	if (!is_good || n == 0)
		return place_fail(
		    place, "a list of words, a program and its arguments");
	*(struct json_span *)field = value;
	return 0;
}

static int
policy_read(const struct place *place, struct json_span value, void *field)
{
	if (json_kind_of(value) != JSON_KIND_OBJECT &&
	    (json_kind_of(value) != JSON_KIND_STRING || value.len <= 2))
		return place_fail(place, "a policy, or the path of a file");
	*(struct json_span *)field = value;
	return 0;
}

/* What stands there is looked at by who has the words for it. */
static int
span_read(const struct place *place, struct json_span value, void *field)
{
	(void)place;
	*(struct json_span *)field = value;
	return 0;
}

static int
network_read(const struct place *place, struct json_span value, void *field)
{
	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return place_fail(place, "an object, as a policy's network");
	return span_read(place, value, field);
}

static int
spares_read(const struct place *place, struct json_span value, void *field)
{
	uint64_t count;

	if (integer_get(value, &count) != 0 || count > BOX_SPARES_MAX)
		return place_fail(place, "a whole number from 0 to 64");
	*(uint32_t *)field = (uint32_t)count;
	return 0;
}

static int
start_read(const struct place *place, struct json_span value, void *field)
{
	uint64_t ns;

	const int r = duration_read(place, value, &ns);
	if (r != 0)
		return r;
	if (ns < SECOND / 10 || ns > 600 * SECOND)
		return place_fail(place, "from 100ms to 10m");
	*(uint32_t *)field = (uint32_t)(ns / 1000000);
	return 0;
}

static int
listen_read(const struct place *place, struct json_span value, void *field)
{
	if (text_get(value, field, sizeof(((struct ctl_config *)0)->listen)) !=
	    0)
		return place_fail(
		    place, "an address and port: \"127.0.0.1:7330\"");
	return 0;
}

static int
names_read(const struct place *place, struct json_span value, void *field)
{
	struct json_span item;
	struct json_iter iter;
	char name[CTL_NAMES_MAX];

	if (json_kind_of(value) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, value) != 0)
		return place_fail(place, "a list of names");
	while (json_iter_element(&iter, &item)) {
		if (text_get(item, name, sizeof(name)) != 0 ||
		    ctl_names_add(field, name) != 0)
			return place_fail(place,
			    "a list of names without a comma, of at most 511 "
			    "bytes together");
	}
	return 0;
}

/* For editors; nothing is read from there. */
static int
schema_read(const struct place *place, struct json_span value, void *field)
{
	(void)field;
	if (json_kind_of(value) != JSON_KIND_STRING)
		return place_fail(place, "a text");
	return 0;
}

/* "jit" and "warmup" are flags that are set when they are false. */
static int
flag_read(const struct place *place, struct json_span value, void *field,
    uint32_t flag)
{
	uint32_t *flags = field;

	if (json_kind_of(value) != JSON_KIND_BOOL)
		return place_fail(place, "true or false");
	*flags = json_value_is_true(value) ? *flags & ~flag : *flags | flag;
	return 0;
}

static int
jit_read(const struct place *place, struct json_span value, void *field)
{
	return flag_read(place, value, field, WIRE_LIMITS_JITLESS);
}

static int
warmup_read(const struct place *place, struct json_span value, void *field)
{
	return flag_read(place, value, field, WIRE_LIMITS_NO_WARMUP);
}

static int
reuse_read(const struct place *place, struct json_span value, void *field)
{
	struct wire_limits *limits = field;
	uint64_t calls = 0;

	if (json_string_equals(value, "session"))
		return place_fail(place,
		    "a number of calls: a cell for each session comes with "
		    "sessions, which this release has not");
	if (integer_get(value, &calls) != 0 || calls == 0 || calls > REUSE_MAX)
		return place_fail(place,
		    "1 (a fresh cell for each call) or a greater number of "
		    "calls");
	limits->reuse_calls = (uint32_t)calls;
	return 0;
}

static read_fn limits_read, servers_read, tls_read, sessions_read, log_read,
    box_read, egress_read, vault_read;

#define LIMIT(name, read, member)                                              \
	{                                                                      \
		name, read, offsetof(struct wire_limits, member)               \
	}
#define SERVER(name, read, member)                                             \
	{                                                                      \
		name, read, offsetof(struct ctl_server_config, member)         \
	}
#define TOP(name, read, member)                                                \
	{                                                                      \
		name, read, offsetof(struct ctl_config, member)                \
	}

static const struct member limits_members[] = {
	LIMIT("cpu", duration_read, cpu_ns),
	LIMIT("wall", duration_read, wall_ns),
	LIMIT("memory", size_read, memory_bytes),
	LIMIT("result", size_read, result_bytes),
	LIMIT("logs", size_read, log_bytes),
	LIMIT("load_cpu", duration_read, load_cpu_ns),
	LIMIT("load_wall", duration_read, load_wall_ns),
};

static const struct member server_members[] = {
	SERVER("limits", limits_read, limits),
	SERVER("pool_max", count_read, pool_max),
	SERVER("reuse", reuse_read, limits),
	SERVER("jit", jit_read, limits.flags),
	SERVER("warmup", warmup_read, limits.flags),
	SERVER("socket", socket_read, socket),
	SERVER("url", url_read, url),
	SERVER("share", share_read, share),
	SERVER("command", command_read, command),
	SERVER("policy", policy_read, policy),
	SERVER("network", network_read, network),
	SERVER("box", box_read, box),
};

#define BOX(name, read, member)                                                \
	{                                                                      \
		name, read, offsetof(struct wire_box, member)                  \
	}

static const struct member box_members[] = {
	BOX("start", start_read, start_ms),
	BOX("idle", seconds_read, idle_s),
	BOX("life", seconds_read, life_s),
	BOX("spares", spares_read, spares),
	BOX("starts_per_minute", count_read, starts_per_minute),
};

static const struct member tls_members[] = {
	TOP("cert", file_read, tls_cert),
	TOP("key", file_read, tls_key),
};

static const struct member sessions_members[] = {
	TOP("idle", seconds_read, sessions.idle_s),
	TOP("life", seconds_read, sessions.life_s),
	TOP("per_principal", count_read, sessions.per_principal),
	TOP("per_tenant", count_read, sessions.per_tenant),
	TOP("resume", resume_read, sessions.resume_bytes),
	TOP("ask", seconds_read, sessions.ask_s),
	TOP("asks", count_read, sessions.asks_max),
};

static const struct member egress_members[] = {
	TOP("nameservers", span_read, egress.nameservers),
	TOP("ca", span_read, egress.ca),
	TOP("nat64", span_read, egress.nat64),
	TOP("denied", span_read, egress.denied),
};

static const struct member vault_members[] = {
	TOP("key_file", file_read, vault_key),
};

static const struct member log_members[] = {
	TOP("format", format_read, log_json),
	TOP("level", level_read, verbose),
};

static const struct member top_members[] = {
	TOP("$schema", schema_read, path),
	TOP("listen", listen_read, listen),
	TOP("limits", limits_read, defaults.limits),
	TOP("pool_max", count_read, defaults.pool_max),
	TOP("memory_budget", size_read, memory_budget),
	TOP("cells", count_read, cells),
	TOP("hosts", names_read, hosts),
	TOP("origins", names_read, origins),
	{ "tls", tls_read, 0 },
	{ "sessions", sessions_read, 0 },
	{ "log", log_read, 0 },
	{ "egress", egress_read, 0 },
	{ "vault", vault_read, 0 },
	TOP("servers", servers_read, servers),
};

static const struct part {
	const char *name;
	const struct member *members;
	size_t n_members;
} parts[] = {
	{ "", top_members, ARRAY_LEN(top_members) },
	{ "limits", limits_members, ARRAY_LEN(limits_members) },
	{ "server", server_members, ARRAY_LEN(server_members) },
	{ "tls", tls_members, ARRAY_LEN(tls_members) },
	{ "sessions", sessions_members, ARRAY_LEN(sessions_members) },
	{ "log", log_members, ARRAY_LEN(log_members) },
	{ "box", box_members, ARRAY_LEN(box_members) },
	{ "egress", egress_members, ARRAY_LEN(egress_members) },
	{ "vault", vault_members, ARRAY_LEN(vault_members) },
};

const char *
ctl_config_member(const char *part, size_t i)
{
	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		if (strcmp(parts[p].name, part) == 0 && i < parts[p].n_members)
			return parts[p].members[i].name;
	}
	return NULL;
}

/* The place of a member: ~ and / are escaped (RFC 6901), hidden characters
 * are left to whoever prints the sentence. */
static void
place_enter(
    struct place *inner, const struct place *outer, struct json_span key)
{
	char name[POINTER_MAX] = "?";
	size_t at;

	(void)json_string_copy(key, name, sizeof(name), NULL);
	*inner = *outer;
	at = strlen(inner->pointer);
	for (const char *c = name; at + 4 < POINTER_MAX; c++) {
		if (c == name)
			inner->pointer[at++] = '/';
		if (*c == '\0')
			break;
		if (*c == '~' || *c == '/') {
			inner->pointer[at++] = '~';
			inner->pointer[at++] = *c == '~' ? '0' : '1';
		} else {
			inner->pointer[at++] = *c;
		}
	}
	inner->pointer[at] = '\0';
}

static int
unknown_fail(const struct place *place, const struct part *part)
{
	char names[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < part->n_members; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s",
		    i > 0 ? ", " : "", part->members[i].name);
	return err_set(place->err, CTL_E_CONFIG,
	    "%s: %s is not known; here may be: %s", place->path, place->pointer,
	    names);
}

static int
part_read(const struct place *place, struct json_span value,
    const struct part *part, void *target)
{
	struct json_span key, item;
	struct json_iter iter;
	struct place inner;
	uint32_t seen = 0;

	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return place_fail(place, "an object");

	(void)json_iter_init(&iter, value);
	while (json_iter_member(&iter, &key, &item)) {
		size_t i = 0;

		while (i < part->n_members &&
		    !json_string_equals(key, part->members[i].name))
			i++;
		place_enter(&inner, place, key);
		if (i == part->n_members)
			return unknown_fail(&inner, part);
		if ((seen & 1u << i) != 0)
			return err_set(place->err, CTL_E_CONFIG,
			    "%s: %s is there twice", place->path,
			    inner.pointer);
		seen |= 1u << i;

		const int r = part->members[i].read(
		    &inner, item, (char *)target + part->members[i].offset);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
limits_read(const struct place *place, struct json_span value, void *field)
{
	struct err bound;

	const int r = part_read(place, value, &parts[1], field);
	if (r == 0 && ctl_limits_check(field, &bound) != 0)
		return err_set(place->err, CTL_E_CONFIG, "%s: %s: %s",
		    place->path, place->pointer, bound.text);
	return r;
}

static int
tls_read(const struct place *place, struct json_span value, void *field)
{
	struct ctl_config *config = field;

	const int r = part_read(place, value, &parts[3], config);
	if (r == 0 &&
	    (config->tls_cert[0] == '\0' || config->tls_key[0] == '\0'))
		return place_fail(place, "an object of \"cert\" and \"key\"");
	return r;
}

static int
sessions_read(const struct place *place, struct json_span value, void *field)
{
	return part_read(place, value, &parts[4], field);
}

static int
log_read(const struct place *place, struct json_span value, void *field)
{
	return part_read(place, value, &parts[5], field);
}

static int
box_read(const struct place *place, struct json_span value, void *field)
{
	return part_read(place, value, &parts[6], field);
}

static int
egress_read(const struct place *place, struct json_span value, void *field)
{
	return part_read(place, value, &parts[7], field);
}

static int
vault_read(const struct place *place, struct json_span value, void *field)
{
	return part_read(place, value, &parts[8], field);
}

/* What goes together in a server. */
static int
server_check(const struct place *place, const struct ctl_server_config *server)
{
	if ((server->command.at != NULL) + (server->socket[0] != '\0') +
		(server->url[0] != '\0') >
	    1)
		return place_fail(
		    place, "either a \"command\" or a \"socket\" or a \"url\"");
	if (server->policy.at != NULL && server->command.at == NULL)
		return place_fail(
		    place, "of a \"command\", to have a \"policy\"");
	if (server->network.at != NULL &&
	    (server->command.at != NULL || server->socket[0] != '\0'))
		return place_fail(place,
		    "of a file or folder, to have a \"network\": a "
		    "\"command\" has it in its \"policy\"");
	return 0;
}

static bool
is_twice(struct json_span object, struct json_span key)
{
	char name[POINTER_MAX];
	struct json_want want = { name };

	return json_string_copy(key, name, sizeof(name), NULL) == 0 &&
	    json_members_find(object, &want, 1) == JSON_E_DUPLICATE;
}

/* Checks every server on defaults that are thrown away: what it sets is read
 * again, over the right defaults, by ctl_config_server(). */
static int
servers_read(const struct place *place, struct json_span value, void *field)
{
	struct ctl_config scratch;
	struct json_span key, item;
	struct json_iter iter;
	struct place inner;

	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return place_fail(place, "an object of servers by name");

	(void)json_iter_init(&iter, value);
	while (json_iter_member(&iter, &key, &item)) {
		ctl_config_init(&scratch);
		place_enter(&inner, place, key);
		if (is_twice(value, key))
			return err_set(place->err, CTL_E_CONFIG,
			    "%s: %s is there twice", place->path,
			    inner.pointer);
		int r = part_read(&inner, item, &parts[2], &scratch.defaults);
		if (r == 0)
			r = server_check(&inner, &scratch.defaults);
		if (r != 0)
			return r;
	}
	*(struct json_span *)field = value;
	return 0;
}

void
ctl_config_init(struct ctl_config *config)
{
	*config = (struct ctl_config){
		.listen = "127.0.0.1:7330",
		.memory_budget = UINT64_C(1) << 30,
		.cells = 256,
		.sessions = WIRE_SESSIONS_DEFAULT,
		.defaults = { .limits = WIRE_LIMITS_DEFAULT,
		    .pool_max = 16,
		    .box = WIRE_BOX_DEFAULT },
	};
}

void
ctl_config_fini(struct ctl_config *config)
{
	free(config->text);
	config->text = NULL;
	config->servers = (struct json_span){ 0 };
}

int
ctl_config_parse(struct ctl_config *config, const char *path,
    const char *raw_text, size_t len, struct err *err)
{
	const struct place root = { path, "", err };
	auto_free char *text = malloc(len + 1);
	struct json_span value;
	unsigned int line, column;
	size_t offset = 0;

	if (text == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", path);
	memcpy(text, raw_text, len);
	text[len] = '\0';

	if (json_check(text, len, &value, &offset) != 0) {
		ctl_text_position(text, offset, &line, &column);
		return err_set(err, CTL_E_CONFIG,
		    "%s is not JSON: line %u, column %u", path, line, column);
	}
	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return err_set(
		    err, CTL_E_CONFIG, "%s must be a JSON object", path);

	const int r = part_read(&root, value, &parts[0], config);
	if (r != 0) {
		config->servers = (struct json_span){ 0 };
		return r;
	}
	free(config->text);
	config->text = steal_ptr(&text);
	config->path = path;
	return 0;
}

int
ctl_config_read(struct ctl_config *config, const char *path, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	size_t len;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));

	const int r = fd_read_all(fd, CTL_CONFIG_BYTES_MAX, &bytes, &len);
	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	return ctl_config_parse(config, path, (const char *)bytes, len, err);
}

void
ctl_config_server(const struct ctl_config *config, const char *name,
    struct ctl_server_config *server)
{
	const struct place nowhere = { config->path, "", NULL };
	struct json_want want = { name };

	*server = config->defaults;
	if (config->servers.at == NULL ||
	    json_members_find(config->servers, &want, 1) != 0 ||
	    want.value.at == NULL)
		return;
	(void)part_read(&nowhere, want.value, &parts[2], server);
}
