/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of admin requests, strictly: what is not known is refused by name and
 * place, so that no misspelt limit is taken for a limit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "store/admin.h"

static const char *const kind_names[] = { "nothing", "an object", "an array",
	"a string", "a number", "true or false", "null" };

/* RFC 6901: "~" and "/" inside a name. What is too long is cut. */
static void
pointer_write(struct json_span key, char text[128])
{
	char name[64];
	size_t len = 0, at = 0;

	if (json_string_copy(key, name, sizeof(name), &len) != 0) {
		snprintf(text, 128, "(a name of %zu bytes)", key.len);
		return;
	}
	for (size_t i = 0; i < len && at < 120; i++) {
		if (name[i] == '~' || name[i] == '/')
			text[at++] = '~';
		text[at++] = name[i] == '~' ? '0'
		    : name[i] == '/'        ? '1'
					    : name[i];
	}
	text[at] = '\0';
}

static struct member *
member_find(struct member *members, size_t n, struct json_span key)
{
	for (size_t i = 0; i < n; i++)
		if (json_string_equals(key, members[i].name))
			return &members[i];
	return NULL;
}

static int
member_unknown(struct request *request, struct json_span key, const char *at,
    const struct member *members, size_t n)
{
	char pointer[128], known[512] = "";
	size_t len = 0;

	pointer_write(key, pointer);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len,
		    "%s%s", i > 0 ? ", " : "", members[i].name);
	return refuse(request, 422,
	    "%s/%s: there is no such member; these are: %s", at, pointer,
	    known);
}

int
body_members(struct request *request, struct json_span object, const char *at,
    struct member *members, size_t n)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(object) != JSON_KIND_OBJECT ||
	    json_iter_init(&iter, object) != 0)
		return refuse(request, 422, "%s: must be an object",
		    *at ? at : "the body");
	while (json_iter_member(&iter, &key, &value)) {
		struct member *member = member_find(members, n, key);
		if (member == NULL)
			return member_unknown(request, key, at, members, n);
		if (member->value.at != NULL)
			return refuse(request, 422, "%s/%s: it stands twice",
			    at, member->name);
		if (json_kind_of(value) != member->kind)
			return refuse(request, 422, "%s/%s: must be %s", at,
			    member->name, kind_names[member->kind]);
		member->value = value;
	}
	for (size_t i = 0; i < n; i++)
		if (members[i].needed && members[i].value.at == NULL)
			return refuse(request, 422, "%s/%s: is missing", at,
			    members[i].name);
	return 0;
}

int
body_uint(struct request *request, const struct member *member, const char *at,
    uint64_t least, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;
	bool fits = member->value.len <= 19 &&
	    json_value_is_integer(member->value) && *member->value.at != '-';

	if (member->value.at == NULL)
		return 0;
	for (size_t i = 0; fits && i < member->value.len; i++)
		value = value * 10 + (uint64_t)(member->value.at[i] - '0');
	if (!fits || value < least || value > most)
		return refuse(request, 422,
		    "%s/%s: must be an integer from %" PRIu64 " to %" PRIu64,
		    at, member->name, least, most);
	*number = value;
	return 0;
}

int
body_text(struct request *request, const struct member *member, const char *at,
    char *text, size_t size)
{
	if (member->value.at == NULL)
		return 0;
	const int code = json_string_copy(member->value, text, size, NULL);
	if (code == JSON_E_TOO_LONG)
		return refuse(request, 422, "%s/%s: is longer than %zu bytes",
		    at, member->name, size - 1);
	return code == 0 ? 0
			 : refuse(request, 422, "%s/%s: holds a NUL character",
			       at, member->name);
}

int
body_name(struct request *request, const struct member *member,
    char name[WIRE_NAME_MAX])
{
	char text[WIRE_NAME_MAX] = "";

	if (json_string_copy(member->value, text, sizeof(text), NULL) != 0 ||
	    !name_is_good(text))
		return refuse(request, 422,
		    "/%s: must be 1 to 63 of a-z, 0-9, '.', '_' and '-', the "
		    "first of them a letter or a digit",
		    member->name);
	memset(name, 0, WIRE_NAME_MAX);
	strcpy(name, text);
	return 0;
}

int
body_server(struct request *request, const struct member *member,
    struct db_server *server)
{
	char name[WIRE_NAME_MAX];

	int status = body_name(request, member, name);
	if (status != 0)
		return status;
	strcpy(request->about, name);
	status = db_server_find(
	    request->store->db, request->tenant.id, name, server);
	return status == DB_E_NONE
	    ? refuse(request, 404,
		  "/server: the tenant '%s' has no server "
		  "'%s'; see: cordon upstream list",
		  request->tenant.name, name)
	    : status;
}

int
body_principal(
    struct request *request, const struct member *member, uint32_t *principal)
{
	struct wire_token token;
	uint64_t id = 0;

	int status = body_uint(request, member, "", 1, UINT32_MAX, &id);
	if (status != 0 || id == 0)
		return status;
	status = db_token_get(request->store->db, (uint32_t)id, &token);
	if (status < 0)
		return status;
	if (status == DB_E_NONE || token.tenant != request->tenant.id)
		return refuse(request, 422,
		    "/principal: the tenant '%s' has no token %" PRIu64,
		    request->tenant.name, id);
	*principal = (uint32_t)id;
	return 0;
}

int
body_share_check(
    struct request *request, const struct db_server *server, const char *what)
{
	const struct wire_deployment *launch = &server->record.launch;

	/* Cells know the token of each call. */
	return launch->kind == WIRE_KIND_ISOLATE ||
		launch->share != WIRE_SHARE_ALL
	    ? 0
	    : refuse(request, 409,
		  "/principal: all calls of the server '%s' share one link "
		  "(share: all), which is nobody's: %s for everybody, or add "
		  "it with another share",
		  launch->name, what);
}

int
body_quota(struct request *request, const struct member *member,
    struct wire_quota *quota)
{
	static const uint64_t most = INT64_MAX;
	enum { REQUESTS, CONCURRENT, CPU, MEMORY, RESULT };
	struct member parts[] = {
		[REQUESTS] = { "requests_per_minute", JSON_KIND_NUMBER },
		[CONCURRENT] = { "concurrent", JSON_KIND_NUMBER },
		[CPU] = { "cpu_ms_per_minute", JSON_KIND_NUMBER },
		[MEMORY] = { "memory_bytes", JSON_KIND_NUMBER },
		[RESULT] = { "result_bytes", JSON_KIND_NUMBER },
	};
	uint64_t requests = quota->requests_per_minute;
	uint64_t concurrent = quota->concurrent;

	if (member->value.at == NULL)
		return 0;
	int status = body_members(
	    request, member->value, "/quota", parts, ARRAY_LEN(parts));
	const struct {
		uint64_t most;
		uint64_t *number;
	} places[] = {
		[REQUESTS] = { UINT32_MAX, &requests },
		[CONCURRENT] = { UINT32_MAX, &concurrent },
		[CPU] = { most, &quota->cpu_ms_per_minute },
		[MEMORY] = { most, &quota->memory_bytes },
		[RESULT] = { most, &quota->result_bytes },
	};
	for (size_t i = 0; i < ARRAY_LEN(parts) && status == 0; i++)
		status = body_uint(request, &parts[i], "/quota", 0,
		    places[i].most, places[i].number);
	quota->requests_per_minute = (uint32_t)requests;
	quota->concurrent = (uint32_t)concurrent;
	if (status == 0 && quota->memory_bytes != 0 &&
	    quota->memory_bytes < 16u << 20)
		return refuse(request, 422,
		    "/quota/memory_bytes: must be 0 (no limit of its own) or "
		    "at least 16 MiB");
	return status;
}
