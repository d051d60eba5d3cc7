/* SPDX-License-Identifier: Apache-2.0 */
#include "store/launch.h"

#include <stdio.h>
#include <string.h>

#include "addr/rule.h"
#include "base/auto.h"

#define MS 1000000u

static int
limits_read(struct request *request, const struct member *member, uint32_t kind,
    struct wire_limits *limits)
{
	enum { CPU, WALL, MEMORY, RESULT, LOG, LOAD_CPU, LOAD_WALL };
	struct member parts[] = {
		[CPU] = { "cpu_ms", JSON_KIND_NUMBER },
		[WALL] = { "wall_ms", JSON_KIND_NUMBER },
		[MEMORY] = { "memory_bytes", JSON_KIND_NUMBER },
		[RESULT] = { "result_bytes", JSON_KIND_NUMBER },
		[LOG] = { "log_bytes", JSON_KIND_NUMBER },
		[LOAD_CPU] = { "load_cpu_ms", JSON_KIND_NUMBER },
		[LOAD_WALL] = { "load_wall_ms", JSON_KIND_NUMBER },
	};
	static const uint64_t day_ms = 86400000u;
	const struct {
		uint64_t least;
		uint64_t most;
		uint64_t unit;
		uint64_t *number;
		bool is_calls; /* of a call, wherever it is served */
	} places[] = {
		[CPU] = { 1, day_ms, MS, &limits->cpu_ns, false },
		[WALL] = { 1, day_ms, MS, &limits->wall_ns, true },
		[MEMORY] = { 8u << 20, 1ull << 40, 1, &limits->memory_bytes,
		    false },
		[RESULT] = { 1, WIRE_FRAME_MAX, 1, &limits->result_bytes,
		    true },
		[LOG] = { 0, WIRE_FRAME_MAX, 1, &limits->log_bytes, true },
		[LOAD_CPU] = { 1, day_ms, MS, &limits->load_cpu_ns, false },
		[LOAD_WALL] = { 1, day_ms, MS, &limits->load_wall_ns, false },
	};

	if (member->value.at == NULL)
		return 0;
	int status = body_members(
	    request, member->value, "/limits", parts, ARRAY_LEN(parts));
	for (size_t i = 0; i < ARRAY_LEN(parts) && status == 0; i++) {
		uint64_t number = *places[i].number / places[i].unit;
		if ((kind == WIRE_KIND_BOX || kind == WIRE_KIND_REMOTE) &&
		    !places[i].is_calls && parts[i].value.at != NULL)
			return refuse(request, 422,
			    "/limits/%s: does not belong to the kind \"%s\"%s",
			    parts[i].name, launch_kinds[kind],
			    kind == WIRE_KIND_BOX
				? ": /policy/limits has what its program may "
				  "spend"
				: ": nothing of it runs here");
		status = body_uint(request, &parts[i], "/limits",
		    places[i].least, places[i].most, &number);
		*places[i].number = number * places[i].unit;
	}
	return status;
}

static int
word_read(struct request *request, const struct member *member,
    const char *const *words, size_t n, uint32_t *which)
{
	if (member->value.at == NULL)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (json_string_equals(member->value, words[i])) {
			*which = i;
			return 0;
		}
	char text[128] = "";
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s\"%s\"", i > 0 ? " or " : "", words[i]);
	return refuse(request, 422, "/%s: must be %s", member->name, text);
}

static int
box_read(
    struct request *request, const struct member *member, struct wire_box *box)
{
	enum { START, IDLE, LIFE, SPARES, STARTS };
	struct member parts[] = {
		[START] = { "start_ms", JSON_KIND_NUMBER },
		[IDLE] = { "idle_s", JSON_KIND_NUMBER },
		[LIFE] = { "life_s", JSON_KIND_NUMBER },
		[SPARES] = { "spares", JSON_KIND_NUMBER },
		[STARTS] = { "starts_per_minute", JSON_KIND_NUMBER },
	};
	const struct {
		uint64_t least;
		uint64_t most;
		uint32_t *number;
	} places[] = {
		[START] = { STORE_BOX_START_MS_MIN, STORE_BOX_START_MS_MAX,
		    &box->start_ms },
		[IDLE] = { 1, STORE_BOX_S_MAX, &box->idle_s },
		[LIFE] = { 1, STORE_BOX_S_MAX, &box->life_s },
		[SPARES] = { 0, STORE_BOX_SPARES_MAX, &box->spares },
		[STARTS] = { 1, STORE_BOX_STARTS_MAX, &box->starts_per_minute },
	};

	*box = (struct wire_box)WIRE_BOX_DEFAULT;
	if (member->value.at == NULL)
		return 0;
	int status = body_members(
	    request, member->value, "/box", parts, ARRAY_LEN(parts));
	for (size_t i = 0; i < ARRAY_LEN(parts) && status == 0; i++) {
		uint64_t number = *places[i].number;
		status = body_uint(request, &parts[i], "/box", places[i].least,
		    places[i].most, &number);
		*places[i].number = (uint32_t)number;
	}
	return status;
}

static void
flag_read(const struct member *member, uint32_t flag, uint32_t *flags)
{
	if (member->value.at != NULL && !json_value_is_true(member->value))
		*flags |= flag;
}

#define OF(kind) (1u << WIRE_KIND_##kind)
#define OF_ALL (OF(ISOLATE) | OF(SOCKET) | OF(BOX) | OF(REMOTE))
#define OF_CELLS (OF(ISOLATE) | OF(SOCKET)) /* a socket's are of no effect */

/* Which kinds may have a member, and which need it. */
static const struct {
	const char *name;
	enum json_kind json;
	unsigned allowed;
	unsigned needed;
} rules[LAUNCH_MEMBERS] = {
	[LAUNCH_NAME] = { "name", JSON_KIND_STRING, OF_ALL, OF_ALL },
	[LAUNCH_KIND] = { "kind", JSON_KIND_STRING, OF_ALL, 0 },
	[LAUNCH_FILES] = { "files", JSON_KIND_ARRAY, OF(ISOLATE), OF(ISOLATE) },
	[LAUNCH_SOCKET] = { "socket", JSON_KIND_STRING, OF(SOCKET),
	    OF(SOCKET) },
	[LAUNCH_URL] = { "url", JSON_KIND_STRING, OF(REMOTE), OF(REMOTE) },
	[LAUNCH_COMMAND] = { "command", JSON_KIND_ARRAY, OF(BOX), OF(BOX) },
	[LAUNCH_CWD] = { "cwd", JSON_KIND_STRING, OF(BOX), 0 },
	[LAUNCH_POLICY] = { "policy", JSON_KIND_OBJECT, OF(BOX), 0 },
	[LAUNCH_NETWORK] = { "network", JSON_KIND_OBJECT,
	    OF(ISOLATE) | OF(REMOTE), 0 },
	[LAUNCH_PACKAGE] = { "package", JSON_KIND_OBJECT, OF(BOX), 0 },
	[LAUNCH_BOX] = { "box", JSON_KIND_OBJECT, OF(BOX), 0 },
	[LAUNCH_SHARE] = { "share", JSON_KIND_STRING,
	    OF(SOCKET) | OF(BOX) | OF(REMOTE), 0 },
	[LAUNCH_POOL_MAX] = { "pool_max", JSON_KIND_NUMBER, OF_CELLS, 0 },
	[LAUNCH_LIMITS] = { "limits", JSON_KIND_OBJECT, OF_ALL, 0 },
	[LAUNCH_REUSE] = { "reuse", JSON_KIND_NUMBER, OF_CELLS, 0 },
	[LAUNCH_JIT] = { "jit", JSON_KIND_BOOL, OF_CELLS, 0 },
	[LAUNCH_WARMUP] = { "warmup", JSON_KIND_BOOL, OF_CELLS, 0 },
};

/* What belongs to another kind must not be there. The supervisor connects to a
 * socket with its own rights, so no tenant but the host's may name one. */
static int
kind_check(struct request *request, const struct member *members, uint32_t kind)
{
	for (size_t i = 0; i < LAUNCH_MEMBERS; i++) {
		const bool is_there = members[i].value.at != NULL;
		if (!is_there && (rules[i].needed & 1u << kind) != 0)
			return refuse(request, 422,
			    "/%s: is missing; the kind \"%s\" needs it",
			    rules[i].name, launch_kinds[kind]);
		if (is_there && (rules[i].allowed & 1u << kind) == 0)
			return refuse(request, 422,
			    "/%s: does not belong to the kind \"%s\"",
			    rules[i].name, launch_kinds[kind]);
	}
	if (kind == WIRE_KIND_SOCKET &&
	    request->token.tenant != WIRE_TENANT_LOCAL)
		return refuse(request, 403,
		    "/socket: sockets are the host's: an admin of the tenant "
		    "'local' may add one for yours");
	return 0;
}

/* A command, or a URL, says by itself that it is one. */
static int
kind_read(struct request *request, const struct member *members, uint32_t *kind)
{
	if (members[LAUNCH_KIND].value.at == NULL &&
	    members[LAUNCH_COMMAND].value.at == NULL &&
	    members[LAUNCH_URL].value.at == NULL)
		return refuse(request, 422, "/kind: is missing");
	*kind = members[LAUNCH_COMMAND].value.at != NULL ? WIRE_KIND_BOX
							 : WIRE_KIND_REMOTE;
	const int status = word_read(request, &members[LAUNCH_KIND],
	    launch_kinds, ARRAY_LEN(launch_kinds), kind);
	return status == 0 ? kind_check(request, members, *kind) : status;
}

static int
numbers_read(struct request *request, const struct member *members,
    struct wire_deployment *launch)
{
	uint64_t pool_max = 16, reuse = 1;

	int status = body_uint(
	    request, &members[LAUNCH_POOL_MAX], "", 1, 4096, &pool_max);
	if (status == 0)
		status = body_uint(
		    request, &members[LAUNCH_REUSE], "", 1, UINT32_MAX, &reuse);
	if (status == 0)
		status = limits_read(request, &members[LAUNCH_LIMITS],
		    launch->kind, &launch->limits);
	if (status == 0 && launch->kind == WIRE_KIND_BOX)
		status = box_read(request, &members[LAUNCH_BOX], &launch->box);
	launch->pool_max = (uint32_t)pool_max;
	launch->limits.reuse_calls = (uint32_t)reuse;
	return status;
}

/* In its one spelling. */
static int
url_read(struct request *request, const struct member *member,
    struct wire_deployment *launch)
{
	char raw_text[WIRE_URL_MAX] = "";
	struct err err = { "" };
	struct addr_url url;

	if (member->value.at == NULL)
		return 0;
	const int status =
	    body_text(request, member, "", raw_text, sizeof(raw_text));
	if (status != 0)
		return status;
	if (addr_base_url_parse(raw_text, strlen(raw_text), &url, &err) != 0)
		return refuse(request, 422, "/url: %s", err.text);
	if (strlen(url.text) >= sizeof(launch->url))
		return refuse(request, 422, "/url: is longer than %zu bytes",
		    sizeof(launch->url) - 1);
	strcpy(launch->url, url.text);
	return 0;
}

static void
members_init(struct member members[LAUNCH_MEMBERS])
{
	for (size_t i = 0; i < LAUNCH_MEMBERS; i++)
		members[i] = (struct member){ .name = rules[i].name,
			.kind = rules[i].json,
			.needed = rules[i].needed == OF_ALL };
}

int
launch_read(struct request *request, struct member members[LAUNCH_MEMBERS],
    struct wire_deployment *launch)
{
	members_init(members);
	*launch = (struct wire_deployment){ .bundle_fd = -1,
		.limits = WIRE_LIMITS_DEFAULT };
	int status =
	    body_members(request, request->body, "", members, LAUNCH_MEMBERS);
	if (status == 0)
		status =
		    body_name(request, &members[LAUNCH_NAME], launch->name);
	if (status == 0)
		status = kind_read(request, members, &launch->kind);
	if (status == 0)
		status = word_read(request, &members[LAUNCH_SHARE],
		    launch_shares, ARRAY_LEN(launch_shares), &launch->share);
	if (status == 0)
		status = body_text(request, &members[LAUNCH_SOCKET], "",
		    launch->socket, sizeof(launch->socket));
	if (status == 0)
		status = url_read(request, &members[LAUNCH_URL], launch);
	if (status == 0)
		status = numbers_read(request, members, launch);
	if (status != 0)
		return status;
	flag_read(
	    &members[LAUNCH_JIT], WIRE_LIMITS_JITLESS, &launch->limits.flags);
	flag_read(&members[LAUNCH_WARMUP], WIRE_LIMITS_NO_WARMUP,
	    &launch->limits.flags);
	strcpy(launch->tenant, request->tenant.name);
	const char *complaint = launch_complaint(launch);
	return complaint == NULL
	    ? 0
	    : refuse(request, 422, "the server: %s", complaint);
}
