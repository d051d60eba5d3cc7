/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers: added, changed, approved, denied, removed. Whatever runs was
 * approved at exactly the digest it has.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/pack.h"
#include "store/admin.h"

#define MS 1000000u

static const char *const state_names[] = { "quarantined", "approved", "changed",
	"denied" };
static const char *const kind_names[] = { "isolate", "socket" };
static const char *const share_names[] = { "principal", "session", "all" };
static const char *const origin_names[] = { "folder", "admin" };

/* ---- answers --------------------------------------------------------------
 */

static void
limits_put(struct json_out *out, const struct wire_limits *limits)
{
	put_uint(out, ",\"limits\":{\"cpu_ms\":", limits->cpu_ns / MS);
	put_uint(out, ",\"wall_ms\":", limits->wall_ns / MS);
	put_uint(out, ",\"memory_bytes\":", limits->memory_bytes);
	put_uint(out, ",\"result_bytes\":", limits->result_bytes);
	put_uint(out, ",\"log_bytes\":", limits->log_bytes);
	put_uint(out, ",\"load_cpu_ms\":", limits->load_cpu_ns / MS);
	put_uint(out, ",\"load_wall_ms\":", limits->load_wall_ns / MS);
	put_uint(out, "},\"reuse\":", limits->reuse_calls);
	json_out_text(out, ",\"jit\":");
	json_out_text(
	    out, limits->flags & WIRE_LIMITS_JITLESS ? "false" : "true");
	json_out_text(out, ",\"warmup\":");
	json_out_text(
	    out, limits->flags & WIRE_LIMITS_NO_WARMUP ? "false" : "true");
}

/* Without its brackets. */
static void
server_members_put(struct json_out *out, const struct db_server *server)
{
	const struct wire_deployment *launch = &server->record.launch;

	put_uint(out, "\"id\":", server->record.id);
	put_string(out, ",\"name\":", launch->name);
	put_string(out, ",\"tenant\":", launch->tenant);
	put_string(out, ",\"state\":", state_names[server->record.state]);
	put_string(out, ",\"origin\":", origin_names[server->record.origin]);
	put_string(out, ",\"kind\":", kind_names[launch->kind]);
	put_hex(out, ",\"digest\":", server->digest);
	json_out_text(out, ",\"approved\":");
	if (sodium_is_zero(server->approved, sizeof(server->approved)))
		json_out_text(out, "null");
	else
		put_hex(out, "", server->approved);
	if (launch->kind == WIRE_KIND_SOCKET) {
		put_string(out, ",\"socket\":", launch->socket);
		put_string(out, ",\"share\":", share_names[launch->share]);
	} else {
		put_hex(out, ",\"bundle\":", launch->digest);
	}
	put_uint(out, ",\"pool_max\":", launch->pool_max);
	limits_put(out, &launch->limits);
	put_uint(out, ",\"created\":", server->created);
}

static int
server_list(void *arg, const struct db_server *server)
{
	struct request *request = arg;
	struct json_out *out = &request->out;

	if (!request->all_tenants &&
	    server->record.tenant != request->tenant.id)
		return 0;
	json_out_text(out, out->bytes[out->len - 1] == '[' ? "{" : ",{");
	server_members_put(out, server);
	json_out_text(out, "}");
	return json_out_status(out) < 0 ? json_out_status(out) : 0;
}

int
servers_list(struct request *request)
{
	json_out_text(&request->out, "{\"servers\":[");
	const int code =
	    db_servers_each(request->store->db, server_list, request);
	json_out_text(&request->out, "]}");
	return code == 0 ? 200 : code;
}

/* The server of the path. */
static int
server_named(struct request *request, struct db_server *server)
{
	const int code = db_server_find(
	    request->store->db, request->tenant.id, request->name, server);

	if (code == DB_E_NONE)
		return refuse(request, 404,
		    "the tenant '%s' has no server '%s'", request->tenant.name,
		    request->name);
	if (code != 0)
		return code;
	strcpy(request->subject, request->name);
	memcpy(request->digest, server->digest, sizeof(request->digest));
	return 0;
}

int
server_show(struct request *request)
{
	struct db_server server;

	const int status = server_named(request, &server);
	if (status != 0)
		return status;
	json_out_text(&request->out, "{");
	server_members_put(&request->out, &server);
	json_out_text(&request->out, "}");
	return 200;
}

/* ---- files ----------------------------------------------------------------
 */

/* The bytes of one file; the caller frees them. */
static int
file_bytes(struct request *request, const struct member *text,
    const struct member *base64, const char *at, uint8_t **bytesp, size_t *lenp)
{
	const bool is_text = text->value.at != NULL;
	const struct json_span value = is_text ? text->value : base64->value;
	size_t len = 0;

	if (is_text == (base64->value.at != NULL))
		return refuse(request, 422,
		    "%s: must have either \"text\" or \"base64\"", at);
	auto_free char *decoded = malloc(value.len + 1);
	if (decoded == NULL)
		return -ENOMEM;
	if (json_string_copy(value, decoded, value.len + 1, &len) != 0)
		return -EIO;
	if (!is_text) {
		auto_free uint8_t *binary = malloc(len + 1);
		size_t n = 0;
		const char *end = NULL;
		if (binary == NULL)
			return -ENOMEM;
		if (sodium_base642bin(binary, len + 1, decoded, len, NULL, &n,
			&end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		    end != decoded + len)
			return refuse(request, 422,
			    "%s/base64: is not base64 (RFC 4648 section 4)",
			    at);
		*bytesp = steal_ptr(&binary);
		*lenp = n;
		return 0;
	}
	*bytesp = (uint8_t *)steal_ptr(&decoded);
	*lenp = len;
	return 0;
}

static int
file_pack(struct request *request, struct json_span file, unsigned i,
    struct pack_writer *writer)
{
	enum { PATH, TEXT, BASE64 };
	struct member members[] = {
		[PATH] = { "path", JSON_KIND_STRING, true },
		[TEXT] = { "text", JSON_KIND_STRING },
		[BASE64] = { "base64", JSON_KIND_STRING },
	};
	char at[32], path[PACK_PATH_MAX + 1];
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	snprintf(at, sizeof(at), "/files/%u", i);
	int status = body_members(request, file, at, members, 3);
	if (status == 0)
		status =
		    body_text(request, &members[PATH], at, path, sizeof(path));
	if (status == 0)
		status = file_bytes(request, &members[TEXT], &members[BASE64],
		    at, &bytes, &len);
	if (status != 0)
		return status;
	const int code = pack_writer_add(writer, path, bytes, len);
	if (code == PACK_E_FORMAT)
		return refuse(request, 422,
		    "%s/path: must be a relative path without '.', '..' and "
		    "empty parts, and stand only once",
		    at);
	return code == PACK_E_TOO_BIG
	    ? refuse(request, 413,
		  "%s: the files are more than %u, or over 32 MiB together", at,
		  PACK_FILES_MAX)
	    : code;
}

static int
files_pack(
    struct request *request, struct json_span files, struct pack_writer *writer)
{
	struct json_span file;
	struct json_iter iter;
	int status = pack_writer_init(writer);

	json_iter_init(&iter, files);
	for (unsigned i = 0; status == 0 && json_iter_element(&iter, &file);
	     i++)
		status = file_pack(request, file, i, writer);
	if (status == 0 && writer->n_files == 0)
		return refuse(request, 422, "/files: is empty");
	return status;
}

/* ---- how it is launched ---------------------------------------------------
 */

static int
limits_read(struct request *request, const struct member *member,
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
	} places[] = {
		[CPU] = { 1, day_ms, MS, &limits->cpu_ns },
		[WALL] = { 1, day_ms, MS, &limits->wall_ns },
		[MEMORY] = { 8u << 20, 1ull << 40, 1, &limits->memory_bytes },
		[RESULT] = { 1, WIRE_FRAME_MAX, 1, &limits->result_bytes },
		[LOG] = { 0, WIRE_FRAME_MAX, 1, &limits->log_bytes },
		[LOAD_CPU] = { 1, day_ms, MS, &limits->load_cpu_ns },
		[LOAD_WALL] = { 1, day_ms, MS, &limits->load_wall_ns },
	};

	if (member->value.at == NULL)
		return 0;
	int status = body_members(
	    request, member->value, "/limits", parts, ARRAY_LEN(parts));
	for (size_t i = 0; i < ARRAY_LEN(parts) && status == 0; i++) {
		uint64_t number = *places[i].number / places[i].unit;
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

enum { NAME, KIND, FILES, SOCKET, SHARE, POOL_MAX, LIMITS, REUSE, JIT, WARMUP };

#define SERVER_MEMBERS                                                         \
	{                                                                      \
		[NAME] = { "name", JSON_KIND_STRING, true },                   \
		[KIND] = { "kind", JSON_KIND_STRING, true },                   \
		[FILES] = { "files", JSON_KIND_ARRAY },                        \
		[SOCKET] = { "socket", JSON_KIND_STRING },                     \
		[SHARE] = { "share", JSON_KIND_STRING },                       \
		[POOL_MAX] = { "pool_max", JSON_KIND_NUMBER },                 \
		[LIMITS] = { "limits", JSON_KIND_OBJECT },                     \
		[REUSE] = { "reuse", JSON_KIND_NUMBER },                       \
		[JIT] = { "jit", JSON_KIND_BOOL },                             \
		[WARMUP] = { "warmup", JSON_KIND_BOOL },                       \
	}

static void
flag_read(const struct member *member, uint32_t flag, uint32_t *flags)
{
	if (member->value.at != NULL && !json_value_is_true(member->value))
		*flags |= flag;
}

/* What belongs to the other kind must not be there. The supervisor connects to
 * a socket with its own rights, so no tenant but the host's may name one. */
static int
kind_check(struct request *request, const struct member *members, uint32_t kind)
{
	const int needed = kind == WIRE_KIND_ISOLATE ? FILES : SOCKET;
	static const int wrong[][2] = {
		[WIRE_KIND_ISOLATE] = { SOCKET, SHARE },
		[WIRE_KIND_SOCKET] = { FILES, FILES },
	};

	if (members[needed].value.at == NULL)
		return refuse(request, 422,
		    "/%s: is missing; the kind \"%s\" needs it",
		    members[needed].name, kind_names[kind]);
	for (size_t i = 0; i < 2; i++)
		if (members[wrong[kind][i]].value.at != NULL)
			return refuse(request, 422,
			    "/%s: does not belong to the kind \"%s\"",
			    members[wrong[kind][i]].name, kind_names[kind]);
	if (kind == WIRE_KIND_SOCKET &&
	    request->token.tenant != WIRE_TENANT_LOCAL)
		return refuse(request, 403,
		    "/socket: sockets are the host's: an admin of the tenant "
		    "'local' may add one for yours");
	return 0;
}

static int
launch_read(struct request *request, const struct member *members,
    struct wire_deployment *launch)
{
	uint64_t pool_max = 16, reuse = 1;

	*launch = (struct wire_deployment){ .bundle_fd = -1,
		.limits = WIRE_LIMITS_DEFAULT };
	int status = body_name(request, &members[NAME], launch->name);
	if (status == 0)
		status = word_read(
		    request, &members[KIND], kind_names, 2, &launch->kind);
	if (status == 0)
		status = kind_check(request, members, launch->kind);
	if (status == 0)
		status = word_read(
		    request, &members[SHARE], share_names, 3, &launch->share);
	if (status == 0)
		status = body_text(request, &members[SOCKET], "",
		    launch->socket, sizeof(launch->socket));
	if (status == 0)
		status = body_uint(
		    request, &members[POOL_MAX], "", 1, 4096, &pool_max);
	if (status == 0)
		status = body_uint(
		    request, &members[REUSE], "", 1, UINT32_MAX, &reuse);
	if (status == 0)
		status =
		    limits_read(request, &members[LIMITS], &launch->limits);
	if (status != 0)
		return status;
	flag_read(&members[JIT], WIRE_LIMITS_JITLESS, &launch->limits.flags);
	flag_read(
	    &members[WARMUP], WIRE_LIMITS_NO_WARMUP, &launch->limits.flags);
	launch->pool_max = (uint32_t)pool_max;
	launch->limits.reuse_calls = (uint32_t)reuse;
	strcpy(launch->tenant, request->tenant.name);
	const char *complaint = launch_complaint(launch);
	return complaint == NULL
	    ? 0
	    : refuse(request, 422, "the server: %s", complaint);
}

/* ---- adding and changing --------------------------------------------------
 */

/* What state a change leaves it in. What is again exactly what was approved,
 * is approved; a denial is only undone by an approval. */
static uint32_t
state_after(const struct db_server *old, const struct db_server *now)
{
	if (old->record.state == WIRE_STATE_QUARANTINED ||
	    old->record.state == WIRE_STATE_DENIED)
		return old->record.state;
	return memcmp(old->approved, now->digest, sizeof(now->digest)) == 0
	    ? WIRE_STATE_APPROVED
	    : WIRE_STATE_CHANGED;
}

static int
room_check(struct request *request, bool is_new, uint64_t added_bytes)
{
	uint64_t servers = 0, tokens = 0, bytes = 0;
	struct db *db = request->store->db;

	int code = db_tenant_counts(db, 0, &servers, &tokens);
	if (code == 0)
		code = db_bundles_bytes(db, &bytes);
	if (code != 0)
		return code;
	if (is_new && servers >= STORE_SERVERS_MAX)
		return refuse(request, 409,
		    "there are %u servers, the most that there may be",
		    STORE_SERVERS_MAX);
	return bytes + added_bytes > STORE_BUNDLES_BYTES_MAX
	    ? refuse(request, 413,
		  "the bundles of all servers together would be over 2 GiB: "
		  "remove some")
	    : 0;
}

/* A name that had another life is told of, since its readers may trust it. */
static int
past_put(struct request *request)
{
	uint32_t state = 0;
	const int code = db_decision_past(
	    request->store->db, request->tenant.id, request->subject, &state);

	if (code == DB_E_NONE || state > WIRE_STATE_DENIED)
		return 0;
	if (code != 0)
		return code;
	json_out_text(&request->out,
	    ",\"note\":\"a server of this name was removed before; the last "
	    "decision on it was '");
	json_out_text(&request->out, state_names[state]);
	json_out_text(&request->out,
	    "'. It does not carry over: this one is quarantined, even if its "
	    "bytes are the same\"");
	return 0;
}

static int
server_keep(struct request *request, struct db_server *server,
    const struct pack_writer *writer, bool is_new)
{
	struct db *db = request->store->db;

	int code = room_check(request, is_new, writer->len);
	if (code == 0 && writer->len > 0)
		code = db_bundle_put(db, server->record.launch.digest,
		    writer->bytes, writer->len);
	if (code == 0)
		code = db_server_put(db, server);
	if (code == 0)
		code = db_bundles_sweep(db);
	if (code != 0)
		return code;
	memcpy(request->digest, server->digest, sizeof(request->digest));
	json_out_text(&request->out, "{");
	server_members_put(&request->out, server);
	code = is_new ? past_put(request) : 0;
	json_out_text(&request->out, "}");
	request->changed = CHANGED_SERVER;
	request->changed_server = *server;
	return code != 0 ? code : is_new ? 201 : 200;
}

/* New, or the old one in its new shape. */
static int
server_prepare(struct request *request, struct db_server *server, bool *is_new)
{
	struct wire_server *record = &server->record;
	struct db_server old;

	strcpy(request->subject, record->launch.name);
	launch_digest(&record->launch, server->digest);
	record->tenant = request->tenant.id;
	record->origin = WIRE_ORIGIN_ADMIN;
	record->state = WIRE_STATE_QUARANTINED;
	const int code = db_server_find(
	    request->store->db, record->tenant, record->launch.name, &old);
	*is_new = code == DB_E_NONE;
	if (code != 0)
		return *is_new ? 0 : code;
	if (old.record.origin != WIRE_ORIGIN_ADMIN)
		return refuse(request, 409,
		    "the server '%s' is served from a folder: change it "
		    "there, or give this one another name",
		    record->launch.name);
	record->id = old.record.id;
	record->state = state_after(&old, server);
	memcpy(server->approved, old.approved, sizeof(old.approved));
	server->created = old.created;
	return 0;
}

int
server_add(struct request *request)
{
	struct member members[] = SERVER_MEMBERS;
	struct db_server server = { 0 };
	struct wire_deployment *launch = &server.record.launch;
	struct pack_writer writer = { 0 };
	bool is_new = false;

	int status = body_members(
	    request, request->body, "", members, ARRAY_LEN(members));
	if (status == 0)
		status = launch_read(request, members, launch);
	if (status != 0)
		return status;
	if (launch->kind == WIRE_KIND_ISOLATE) {
		status = files_pack(request, members[FILES].value, &writer);
		crypto_hash_sha256(launch->digest, writer.bytes, writer.len);
	} else {
		crypto_hash_sha256(launch->digest,
		    (const uint8_t *)launch->socket, strlen(launch->socket));
	}
	if (status == 0)
		status = server_prepare(request, &server, &is_new);
	if (status == 0)
		status = server_keep(request, &server, &writer, is_new);
	pack_writer_fini(&writer);
	return status;
}

/* ---- decisions ------------------------------------------------------------
 */

/* "digest": what was reviewed. What has changed since is not what is meant. */
static int
digest_check(struct request *request, const struct db_server *server)
{
	struct member digest = { "digest", JSON_KIND_STRING };
	char now[DB_DIGEST * 2 + 1];

	const int status = body_members(request, request->body, "", &digest, 1);
	if (status != 0 || digest.value.at == NULL)
		return status;
	sodium_bin2hex(now, sizeof(now), server->digest, DB_DIGEST);
	return json_string_equals(digest.value, now)
	    ? 0
	    : refuse(request, 409,
		  "/digest: is not that of the server '%s' as it is now (%s): "
		  "look at it again",
		  request->subject, now);
}

static int
server_decide(struct request *request, uint32_t state)
{
	struct db *db = request->store->db;
	struct db_server server;

	int status = server_named(request, &server);
	if (status == 0)
		status = digest_check(request, &server);
	if (status != 0)
		return status;
	server.record.state = state;
	if (state == WIRE_STATE_APPROVED)
		memcpy(server.approved, server.digest, sizeof(server.digest));
	status = db_server_put(db, &server);
	if (status == 0)
		status = db_decision_add(db, &server, request->token.id);
	if (status != 0)
		return status;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	json_out_text(&request->out, "{");
	server_members_put(&request->out, &server);
	json_out_text(&request->out, "}");
	return 200;
}

int
server_approve(struct request *request)
{
	return server_decide(request, WIRE_STATE_APPROVED);
}

int
server_deny(struct request *request)
{
	return server_decide(request, WIRE_STATE_DENIED);
}

int
server_remove(struct request *request)
{
	struct db *db = request->store->db;
	struct db_server server;

	int status = server_named(request, &server);
	if (status == 0)
		status = body_members(request, request->body, "", NULL, 0);
	if (status != 0)
		return status;
	if (server.record.origin == WIRE_ORIGIN_FOLDER)
		return refuse(request, 409,
		    "the server '%s' is served from a folder: take its file "
		    "away there, or deny it",
		    request->name);
	status = db_server_remove(db, server.record.id);
	if (status == 0)
		status = db_bundles_sweep(db);
	if (status != 0)
		return status;
	server.record.gone = 1;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	return 204;
}
